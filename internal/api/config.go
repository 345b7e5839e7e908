package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"

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

// Validate reports every mistake at once: *FieldError values, joined, with
// their paths below `rate_limits`.
func (r RateLimits) Validate() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, &FieldError{Path: path, Err: fmt.Errorf(format, args...)})
	}
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
	return errors.Join(errs...)
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
	// ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
	// ALIBABA_CLOUD_SECURITY_TOKEN.
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
