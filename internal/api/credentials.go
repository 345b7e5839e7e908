package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// Key is an access key. Token is set for temporary keys only.
type Key struct {
	ID     string
	Secret secret.String
	Token  secret.String
}

// Credentials give the key to sign with; asked before every attempt. They are
// safe for concurrent use. Their errors say which way was tried, for which
// role, and hold no secret.
type Credentials interface {
	Key(ctx context.Context) (Key, error)
}

// New returns the credentials that the section describes. It fails where
// Validate does, and where the machine's environment rules the way out. That
// there is no key yet is for Key to say.
func (c CredentialsConfig) New() (Credentials, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch c.Way() {
	case "chain":
		return newChain()
	case "ecs_ram_role":
		return newECSRole(c.RoleName)
	case "ram_role_arn":
		return newRAMRole(c)
	case "oidc_role_arn":
		return newOIDCRole(c)
	}
	return c.own(), nil
}

// own returns the key that stands in the section or that it points to: the
// key to sign with, or the one that assumes the role.
func (c CredentialsConfig) own() Credentials {
	way := "environment"
	if ways := c.keyWays(); len(ways) > 0 {
		way = ways[0]
	}
	switch way {
	case "static":
		return &static{title: "static", key: newKey(c.AccessKeyID, c.AccessKeySecret.Reveal(), c.SecurityToken.Reveal())}
	case "files":
		return newFiles(c)
	}
	return newEnvironment(c)
}

// newKey drops the white space that mounted files, encoded Secrets and block
// scalars end with; no part of a key has any.
func newKey(id, value, token string) Key {
	return Key{ID: strings.TrimSpace(id), Secret: secret.New(strings.TrimSpace(value)), Token: secret.New(strings.TrimSpace(token))}
}

// title is a way and its role: what credentials print, whatever they hold,
// under every verb. fmt does not ask a secret in an unexported field how it
// wants to be printed.
type title string

// Format implements fmt.Formatter.
func (t title) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(t)) }

type static struct {
	title

	key Key
}

func (s *static) Key(context.Context) (Key, error) { return s.key, nil }

// The variables that Alibaba Cloud's tools read.
const (
	envKeyID     = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envKeySecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envToken     = "ALIBABA_CLOUD_SECURITY_TOKEN"
)

// environment reads its variables on every call.
type environment struct {
	title

	id, value, token string // names; token may be empty
}

func newEnvironment(c CredentialsConfig) *environment {
	e := &environment{
		title: "environment",
		id:    cmp.Or(c.AccessKeyIDEnv, envKeyID),
		value: cmp.Or(c.AccessKeySecretEnv, envKeySecret),
		token: c.SecurityTokenEnv,
	}
	// The token belongs to its key: a key under names of its own has nothing
	// to do with the token of the usual one.
	if e.token == "" && e.id == envKeyID {
		e.token = envToken
	}
	return e
}

func (e *environment) Key(context.Context) (Key, error) {
	k := newKey(os.Getenv(e.id), os.Getenv(e.value), os.Getenv(e.token))
	switch {
	case k.ID == "":
		return Key{}, fmt.Errorf("environment: %s is not set", e.id)
	case k.Secret.IsZero():
		return Key{}, fmt.Errorf("environment: %s is not set", e.value)
	}
	return k, nil
}
