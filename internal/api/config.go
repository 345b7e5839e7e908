package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// FieldError is a mistake in a section of the configuration.
type FieldError struct {
	Path string // of the key, below the section that was validated
	Err  error  // what is wrong; holds no secret
}

// Error gives path and mistake.
func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// Mistakes collects what is wrong in a section of the configuration.
type Mistakes []error

// Bad adds a *FieldError.
func (m *Mistakes) Bad(path, format string, args ...any) {
	*m = append(*m, &FieldError{Path: path, Err: fmt.Errorf(format, args...)})
}

// Join returns the mistakes joined; nil where there is none.
func (m *Mistakes) Join() error { return errors.Join(*m...) }

// RateLimits is the `rate_limits` section: how many calls per second the
// exporter may make. DefaultRateLimits gives the values of absent keys.
type RateLimits struct {
	// Share is the part of every limit that polling uses, in (0, 1]. The rest
	// is for people, runbooks and the other clients of the account.
	Share float64 `yaml:"share"`
	// Scope is what the cloud counts by: "account" (all regions together) or
	// "region".
	Scope string `yaml:"scope"`
	// Default is the limit, in calls per second, of an action that has neither
	// an entry in Actions nor a documented limit.
	Default float64 `yaml:"default"`
	// PerSourceIP is the limit, in calls per second, of everything that the
	// process sends, for all accounts.
	PerSourceIP float64 `yaml:"per_source_ip"`
	// Actions sets the limit of single actions, in calls per second, in place
	// of the documented one.
	Actions map[string]float64 `yaml:"actions"`
}

// DefaultRateLimits returns the limits that hold where the configuration says
// nothing.
func DefaultRateLimits() RateLimits {
	return RateLimits{Share: 0.7, Scope: "account", Default: 3, PerSourceIP: 100}
}

// Limit returns the limit of an action, in calls per second: the configured
// one, else the documented one, else Default.
func (r RateLimits) Limit(action string) float64 {
	if v, ok := r.Actions[action]; ok {
		return v
	}
	if a, ok := Lookup(action); ok && a.QPS > 0 {
		return a.QPS
	}
	return r.Default
}

// PollRate returns how many polls of an action may leave per second when the
// cloud throttles nothing.
func (r RateLimits) PollRate(action string) float64 {
	return newPace(r.Limit(action), r.Share).rate()
}

// Validate reports every mistake at once: *FieldError values, joined, with
// their paths below `rate_limits`.
func (r RateLimits) Validate() error {
	var m Mistakes
	bad := m.Bad
	if !(r.Share > 0 && r.Share <= 1) {
		bad("share", "%v is not in (0, 1]", r.Share)
	}
	if r.Scope != "account" && r.Scope != "region" {
		bad("scope", "%q is neither account nor region", r.Scope)
	}
	if err := validRate(r.Default); err != nil {
		bad("default", "%w", err)
	}
	if err := validRate(r.PerSourceIP); err != nil {
		bad("per_source_ip", "%w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Actions)) {
		if _, ok := Lookup(name); !ok {
			bad("actions."+name, "unknown action%s", DidYouMean(name, slices.Collect(maps.Keys(byName()))))
		}
		if err := validRate(r.Actions[name]); err != nil {
			bad("actions."+name, "%w", err)
		}
	}
	return m.Join()
}

// validRate accepts calls per second between one an hour and ten thousand.
func validRate(perSecond float64) error {
	const least, most = 1.0 / 3600, 10_000.0
	if !(perSecond >= least && perSecond <= most) {
		return fmt.Errorf("%v calls per second is not between one an hour and %v", perSecond, most)
	}
	return nil
}

// CredentialsConfig is a `credentials` or `acting_credentials` section: one
// way to come by a key. The zero value is the provider chain.
type CredentialsConfig struct {
	// Provider names the way: static, environment, files, chain,
	// ecs_ram_role, ram_role_arn or oidc_role_arn. Empty means the one that
	// the other keys imply; chain when there are none.
	Provider string `yaml:"provider"`

	// The key itself (static).
	AccessKeyID     string        `yaml:"access_key_id"`
	AccessKeySecret secret.String `yaml:"access_key_secret"`
	SecurityToken   secret.String `yaml:"security_token"`

	// Paths of files that hold it (files); they are read again when they
	// change.
	AccessKeyIDFile     string `yaml:"access_key_id_file"`
	AccessKeySecretFile string `yaml:"access_key_secret_file"`
	SecurityTokenFile   string `yaml:"security_token_file"`

	// Names of variables that hold it (environment). Empty means
	// ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, with
	// the default id only, ALIBABA_CLOUD_SECURITY_TOKEN.
	AccessKeyIDEnv     string `yaml:"access_key_id_env"`
	AccessKeySecretEnv string `yaml:"access_key_secret_env"`
	SecurityTokenEnv   string `yaml:"security_token_env"`

	// RoleName is the RAM role of the ECS instance (ecs_ram_role). Empty means
	// the one that the instance metadata names.
	RoleName string `yaml:"role_name"`

	// The role to assume: with the key above (ram_role_arn) or with an OIDC
	// token (oidc_role_arn).
	RoleARN         string `yaml:"role_arn"`
	RoleSessionName string `yaml:"role_session_name"`
	Policy          string `yaml:"policy"`      // narrows the role for this session
	ExternalID      string `yaml:"external_id"` // ram_role_arn only
	OIDCProviderARN string `yaml:"oidc_provider_arn"`
	OIDCTokenFile   string `yaml:"oidc_token_file"`

	// STSEndpoint is the host that exchanges keys for a role's. Empty means
	// the provider library's choice.
	STSEndpoint string `yaml:"sts_endpoint"`
}

// credentialWays are the values of provider.
var credentialWays = []string{"static", "environment", "files", "chain", "ecs_ram_role", "ram_role_arn", "oidc_role_arn"}

// Way returns Provider or, where that is empty, the way that the other keys
// imply.
func (c CredentialsConfig) Way() string {
	switch {
	case c.Provider != "":
		return c.Provider
	case c.OIDCProviderARN != "" || c.OIDCTokenFile != "":
		return "oidc_role_arn"
	case c.RoleARN != "":
		return "ram_role_arn"
	case c.RoleName != "":
		return "ecs_ram_role"
	}
	if keys := c.keyWays(); len(keys) > 0 {
		return keys[0]
	}
	return "chain"
}

// keyWays lists which of static, files and environment have a key set. More
// than one contradict each other.
func (c CredentialsConfig) keyWays() (ways []string) {
	if c.AccessKeyID != "" || !c.AccessKeySecret.IsZero() || !c.SecurityToken.IsZero() {
		ways = append(ways, "static")
	}
	if c.AccessKeyIDFile != "" || c.AccessKeySecretFile != "" || c.SecurityTokenFile != "" {
		ways = append(ways, "files")
	}
	if c.AccessKeyIDEnv != "" || c.AccessKeySecretEnv != "" || c.SecurityTokenEnv != "" {
		ways = append(ways, "environment")
	}
	return ways
}

// Validate reports every mistake at once: *FieldError values, joined, with
// their paths below the section. It looks at no file and no variable. A
// message never repeats a value: a secret may stand where it does not belong.
func (c CredentialsConfig) Validate() error {
	var m Mistakes
	bad := m.Bad
	way := c.Way()
	if !slices.Contains(credentialWays, way) {
		bad("provider", "unknown provider; one of %s", strings.Join(credentialWays, ", "))
		return m.Join()
	}
	if ways := c.keyWays(); len(ways) > 1 {
		bad("provider", "several ways at once (%s): keep one", strings.Join(ways, ", "))
		return m.Join()
	}
	for _, k := range c.keys() {
		switch {
		case k.set && !slices.Contains(k.ways, way):
			bad(k.name, "not used by provider %s, but by %s", way, strings.Join(k.ways, ", "))
		case !k.set && c.needs(k.name, way):
			bad(k.name, "required by provider %s", way)
		}
	}
	if strings.ContainsAny(c.STSEndpoint, "/ ") {
		bad("sts_endpoint", "not a host name: give it without scheme and path")
	}
	return m.Join()
}

// credentialKey is a key of the section and the ways that read it.
type credentialKey struct {
	name string
	set  bool
	ways []string
}

func (c CredentialsConfig) keys() []credentialKey {
	static := []string{"static", "ram_role_arn"}
	files := []string{"files", "ram_role_arn"}
	environment := []string{"environment", "ram_role_arn"}
	assume := []string{"ram_role_arn", "oidc_role_arn"}
	return []credentialKey{
		{"access_key_id", c.AccessKeyID != "", static},
		{"access_key_secret", !c.AccessKeySecret.IsZero(), static},
		{"security_token", !c.SecurityToken.IsZero(), static},
		{"access_key_id_file", c.AccessKeyIDFile != "", files},
		{"access_key_secret_file", c.AccessKeySecretFile != "", files},
		{"security_token_file", c.SecurityTokenFile != "", files},
		{"access_key_id_env", c.AccessKeyIDEnv != "", environment},
		{"access_key_secret_env", c.AccessKeySecretEnv != "", environment},
		{"security_token_env", c.SecurityTokenEnv != "", environment},
		{"role_name", c.RoleName != "", []string{"ecs_ram_role"}},
		{"role_arn", c.RoleARN != "", assume},
		{"role_session_name", c.RoleSessionName != "", assume},
		{"policy", c.Policy != "", assume},
		{"external_id", c.ExternalID != "", []string{"ram_role_arn"}},
		{"oidc_provider_arn", c.OIDCProviderARN != "", []string{"oidc_role_arn"}},
		{"oidc_token_file", c.OIDCTokenFile != "", []string{"oidc_role_arn"}},
		{"sts_endpoint", c.STSEndpoint != "", assume},
	}
}

// needs reports whether a key must be set. The key that assumes a role is
// complete or comes from the default variables.
func (c CredentialsConfig) needs(key, way string) bool {
	if way == "ram_role_arn" {
		if key == "role_arn" {
			return true
		}
		if ways := c.keyWays(); len(ways) == 1 {
			way = ways[0]
		}
	}
	switch way {
	case "static":
		return key == "access_key_id" || key == "access_key_secret"
	case "files":
		return key == "access_key_id_file" || key == "access_key_secret_file"
	case "oidc_role_arn":
		return key == "role_arn" || key == "oidc_provider_arn" || key == "oidc_token_file"
	}
	return false
}
