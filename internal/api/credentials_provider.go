package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/credentials-go/credentials/providers"
	"golang.org/x/sync/singleflight"
)

const (
	// askAgain is how long a key is used before the library is asked again. It
	// fetches a new one when asked in the last three minutes of the old one's
	// life, so what it gave is good for usable, the new key being on its way.
	askAgain = 30 * time.Second
	usable   = 150 * time.Second

	// pauseFailed keeps every call of a sweep from asking STS anew after it
	// refused.
	pauseFailed = 10 * time.Second
)

// provided is a key that the provider library finds on the machine or fetches
// from STS. The library locks nothing, knows no context and may take a minute,
// so one goroutine at a time asks it, which ends when the library's own time
// limits end it; nobody waits longer than his context lasts.
type provided struct {
	title

	find   providers.CredentialsProvider
	flight singleflight.Group

	mu     sync.Mutex
	key    Key
	at     time.Time // when the library last gave key; zero: never
	err    error     // of the last time it was asked; nil: it gave key
	failed time.Time // when it failed with err
}

// provide wraps what a builder of the library built.
func provide(way string, find providers.CredentialsProvider, err error) (Credentials, error) {
	if err == nil && slices.Contains(strings.Split(os.Getenv("DEBUG"), ","), "credential") {
		err = errors.New("the variable DEBUG has the provider library print tokens: take \"credential\" out of it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", way, err)
	}
	return &provided{title: title(way), find: find}, nil
}

func (p *provided) Key(ctx context.Context) (Key, error) {
	p.mu.Lock()
	key, at, err, failed := p.key, p.at, p.err, p.failed
	p.mu.Unlock()
	age := usable
	if !at.IsZero() {
		age = time.Since(at)
	}
	switch pausing := err != nil && time.Since(failed) < pauseFailed; {
	case age < askAgain, pausing && age < usable:
		return key, nil
	case pausing:
		return Key{}, err
	}
	answer := p.flight.DoChan("", p.ask)
	if age < usable {
		return key, nil
	}
	select {
	case r := <-answer:
		return r.Val.(Key), r.Err
	case <-ctx.Done():
		return Key{}, fmt.Errorf("%s: the key has not come yet: %w", string(p.title), ctx.Err())
	}
}

// ask gets a key from the library and keeps it, or why there is none.
func (p *provided) ask() (any, error) {
	c, err := get(p.find)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.err, p.failed = fmt.Errorf("%s: %w", string(p.title), err), time.Now()
		return Key{}, p.err
	}
	p.key, p.at, p.err = newKey(c.AccessKeyId, c.AccessKeySecret, c.SecurityToken), time.Now(), nil
	return p.key, nil
}

// get asks one provider. Its error is told by reason: the library's own may
// repeat requests, answers and whole files. The library panics on answers
// that lack a field, and on being asked again after some mistakes in a
// profile.
func get(p providers.CredentialsProvider) (c *providers.Credentials, err error) {
	defer func() {
		if recover() != nil {
			c, err = nil, errors.New("the answer, or the profile, lacks a field")
		}
	}()
	if c, err = p.GetCredentials(); err != nil {
		return nil, reason(err)
	}
	if c.AccessKeyId == "" || c.AccessKeySecret == "" {
		return nil, errors.New("the answer has no key")
	}
	return c, nil
}

// told is an error of ours that travels through the library.
type told struct{ error }

// base is the key that assumes a role, read whenever the library does so.
type base struct{ Credentials }

func (b base) GetProviderName() string { return "" }

func (b base) GetCredentials() (*providers.Credentials, error) {
	key, err := b.Key(context.Background()) // reads variables or files at most
	if err != nil {
		return nil, told{err}
	}
	return &providers.Credentials{AccessKeyId: key.ID, AccessKeySecret: key.Secret.Reveal(), SecurityToken: key.Token.Reveal()}, nil
}

func newRAMRole(c CredentialsConfig) (Credentials, error) {
	p, err := providers.NewRAMRoleARNCredentialsProviderBuilder().
		WithCredentialsProvider(base{c.own()}).
		WithRoleArn(c.RoleARN).
		WithRoleSessionName(c.sessionName()).
		WithPolicy(c.Policy).
		WithExternalId(c.ExternalID).
		WithStsEndpoint(c.stsEndpoint()).
		Build()
	return provide("ram_role_arn "+c.RoleARN, p, err)
}

func newOIDCRole(c CredentialsConfig) (Credentials, error) {
	if c.OIDCTokenFile != "" && os.Getenv(envOIDCToken) != "" {
		return nil, fmt.Errorf("oidc_role_arn %s: %s is set and would be used instead of oidc_token_file", c.RoleARN, envOIDCToken)
	}
	p, err := providers.NewOIDCCredentialsProviderBuilder().
		WithOIDCProviderARN(c.OIDCProviderARN).
		WithOIDCTokenFilePath(c.OIDCTokenFile).
		WithRoleArn(c.RoleARN).
		WithRoleSessionName(c.sessionName()).
		WithPolicy(c.Policy).
		WithSTSEndpoint(c.stsEndpoint()).
		Build()
	return provide("oidc_role_arn "+c.RoleARN, p, err)
}

// sessionName is what the audit trail of the cloud shows next to the role.
func (c CredentialsConfig) sessionName() string {
	return cmp.Or(c.RoleSessionName, os.Getenv("ALIBABA_CLOUD_ROLE_SESSION_NAME"), "alikafka-exporter")
}

// stsEndpoint returns "" where the library is to choose by
// ALIBABA_CLOUD_STS_REGION and ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED.
func (c CredentialsConfig) stsEndpoint() string {
	host := strings.TrimPrefix(os.Getenv("ALIBABA_CLOUD_STS_ENDPOINT"), "https://")
	return cmp.Or(c.STSEndpoint, strings.TrimSuffix(host, "/"))
}

func newECSRole(role string) (Credentials, error) {
	p, err := ecsRole(role)
	return provide(strings.TrimSpace("ecs_ram_role "+role), p, err)
}

// ecsRole asks the metadata service of the instance, by session (IMDSv2)
// where it can. The library would ask it through a proxy, too.
func ecsRole(role string) (providers.CredentialsProvider, error) {
	metadata := &http.Request{URL: &url.URL{Scheme: "http", Host: "100.100.100.200"}}
	if proxy, err := http.ProxyFromEnvironment(metadata); err != nil || proxy != nil {
		return nil, errors.New("HTTP_PROXY would see the key: add 100.100.100.200 to NO_PROXY")
	}
	p, err := providers.NewECSRAMRoleCredentialsProviderBuilder().WithRoleName(role).Build()
	if err != nil {
		return nil, err
	}
	return p, nil
}

const (
	envOIDCProvider  = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"
	envOIDCToken     = "ALIBABA_CLOUD_OIDC_TOKEN"
	envOIDCTokenFile = "ALIBABA_CLOUD_OIDC_TOKEN_FILE"
	envRoleARN       = "ALIBABA_CLOUD_ROLE_ARN"
)

// newChain goes the way that the environment names, if it names one: a key, or
// a role for an OIDC token. When that fails, it fails: to go on under another
// identity that the machine happens to have would be a surprise.
func newChain() (Credentials, error) {
	if os.Getenv(envKeyID) != "" {
		return newEnvironment(CredentialsConfig{}), nil
	}
	missing := ""
	for _, name := range []string{envRoleARN, envOIDCProvider, envOIDCTokenFile} {
		if missing == "" && os.Getenv(name) == "" && (name != envOIDCTokenFile || os.Getenv(envOIDCToken) == "") {
			missing = name
		}
	}
	if missing == "" {
		return newOIDCRole(CredentialsConfig{RoleARN: os.Getenv(envRoleARN)})
	}
	return provide("chain", &chain{unset: []string{envKeyID, missing}}, nil)
}

// chain is the rest of the chain: the profiles of the command line tool and of
// the SDKs, the role of the ECS instance, a URI. The first that gives a key is
// the one from then on. The library has a chain, too, but that stays with the
// one it tried last, whether it gave a key or not, and makes one text of
// everybody's errors.
type chain struct {
	unset  []string // variables that rule the first ways out
	name   string   // of chosen
	chosen providers.CredentialsProvider
}

func (*chain) GetProviderName() string { return "chain" }

func (c *chain) GetCredentials() (*providers.Credentials, error) {
	if c.chosen != nil {
		key, err := get(c.chosen)
		if err != nil {
			return nil, told{fmt.Errorf("%s: %w", c.name, err)}
		}
		return key, nil
	}
	tried := []string{"environment: no " + c.unset[0], "oidc_role_arn: no " + c.unset[1]}
	for _, way := range links() {
		p, err := way.build()
		if err == nil {
			var key *providers.Credentials
			if key, err = get(p); err == nil {
				c.name, c.chosen = way.name, p
				return key, nil
			}
		}
		tried = append(tried, way.name+": "+err.Error())
	}
	return nil, told{errors.New("no key: " + strings.Join(tried, "; "))}
}

// link is one way of the chain. It is built for every try: some of the
// library's providers remember a failure as if it were a success.
type link struct {
	name  string
	build func() (providers.CredentialsProvider, error)
}

func links() []link {
	all := []link{
		{"cli_profile", func() (providers.CredentialsProvider, error) {
			return providers.NewCLIProfileCredentialsProviderBuilder().Build()
		}},
		{"profile", func() (providers.CredentialsProvider, error) {
			return providers.NewProfileCredentialsProviderBuilder().Build()
		}},
		{"ecs_ram_role", func() (providers.CredentialsProvider, error) { return ecsRole("") }},
	}
	if os.Getenv("ALIBABA_CLOUD_CREDENTIALS_URI") != "" {
		all = append(all, link{"uri", func() (providers.CredentialsProvider, error) {
			return providers.NewURLCredentialsProviderBuilder().Build()
		}})
	}
	return all
}

var (
	// sentRequest is how net/http begins the error of a request: with a URL,
	// which holds the signature and the token of the key that signed it.
	sentRequest = regexp.MustCompile(`[A-Za-z]+ "(?:[^"\\]|\\.)*": `)
	anyURL      = regexp.MustCompile(`https?://\S+`)
	noFile      = regexp.MustCompile(`.*open (.+): no such file or directory`)
	longWord    = regexp.MustCompile(`[A-Za-z0-9+/=_.%-]{40,}`)
	// quoting is where the library goes over to the words of others.
	quoting = regexp.MustCompile(`(?s)( failed|from OAuth): .*|, message = .*|\s*stderr: .*`)
)

// reason tells a library error in words that hold no secret: the fault of the
// transport, or code and message of the service's answer, or the library's
// own words up to where it quotes others.
func reason(err error) error {
	if t := (told{}); errors.As(err, &t) {
		return t.error
	}
	text := strings.Replace(err.Error(), "role name failed: ", "role name: ", 1)
	if at := sentRequest.FindStringIndex(text); at != nil {
		return plain(text[at[1]:])
	}
	if i := strings.IndexByte(text, '{'); i >= 0 {
		var answer struct {
			Code      string `json:"Code"`
			Message   string `json:"Message"`
			RequestID string `json:"RequestId"`
		}
		if json.NewDecoder(strings.NewReader(text[i:])).Decode(&answer) == nil && answer.Code != "" {
			return fmt.Errorf("%w (RequestId %s)", plain(answer.Code+": "+answer.Message), veil(answer.RequestID))
		}
		text = text[:i]
	}
	return plain(noFile.ReplaceAllString(quoting.ReplaceAllString(text, "$1"), "no $1"))
}

// plain shortens text and drops URLs and whatever is as long as a token.
func plain(text string) error {
	return errors.New(shorten(strings.TrimSpace(veil(anyURL.ReplaceAllString(text, "URL")))))
}

// veil puts dots for words as long as a token, other than paths.
func veil(text string) string {
	return longWord.ReplaceAllStringFunc(text, func(word string) string {
		if strings.HasPrefix(word, "/") {
			return word
		}
		return "…"
	})
}
