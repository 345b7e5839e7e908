package api

import (
	"context"
	"errors"
	"os"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// Key is an access key. Token is set for temporary keys only.
type Key struct {
	ID     string
	Secret secret.String
	Token  secret.String
}

// Credentials give the key to sign with; asked before every attempt.
type Credentials interface {
	Key(ctx context.Context) (Key, error)
}

// New returns the credentials that the section describes.
func (c CredentialsConfig) New() (Credentials, error) {
	if c.AccessKeyID != "" {
		return static{c.AccessKeyID, c.AccessKeySecret, c.SecurityToken}, nil
	}
	return environment{}, nil
}

type static Key

func (k static) Key(context.Context) (Key, error) { return Key(k), nil }

type environment struct{}

func (environment) Key(context.Context) (Key, error) {
	k := Key{
		ID:     os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		Secret: secret.New(os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
		Token:  secret.New(os.Getenv("ALIBABA_CLOUD_SECURITY_TOKEN")),
	}
	if k.ID == "" {
		return Key{}, errors.New("ALIBABA_CLOUD_ACCESS_KEY_ID is not set")
	}
	return k, nil
}
