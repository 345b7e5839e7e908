// Package config reads the configuration file: strictly, and with every
// mistake at once.
//
// The sections belong to the packages that use them; this one only knows how
// they are put together, finds each mistake's place in the file, and keeps
// secrets out of what it says.
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// Config is a whole configuration. All of its values are legal.
type Config struct {
	Accounts   []collector.AccountConfig `yaml:"accounts"`
	Collect    collector.Config          `yaml:"collect"`
	RateLimits api.RateLimits            `yaml:"rate_limits"`
	Admin      admin.Config              `yaml:"admin"`
	Runbooks   []admin.Runbook           `yaml:"runbooks"`
}

// Default returns what holds where a file says nothing. It has no account and
// is not legal by itself.
func Default() *Config {
	return &Config{Collect: collector.DefaultConfig(), RateLimits: api.DefaultRateLimits(), Admin: admin.DefaultConfig()}
}

// maxSize bounds a file, in bytes: ten thousand accounts fit.
const maxSize = 8 << 20

// Load reads a file. Paths in it are relative to its directory. What is wrong
// in the file is an *Error; another error means that it could not be read.
func Load(path string) (*Config, error) {
	c := Default()
	if err := decodeFile(path, c, c.validate); err != nil {
		return nil, err
	}
	c.resolvePaths(filepath.Dir(path))
	return c, nil
}

func decodeFile(path string, into any, validate func(*decoder)) error {
	data, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	return decode(path, data, into, validate)
}

// decode fills into, which holds the defaults, and has validate judge it when
// there is something to judge.
func decode(file string, data []byte, into any, validate func(*decoder)) error {
	if len(data) > maxSize {
		return &Error{File: file, Mistakes: []Mistake{{Message: fmt.Sprintf("larger than %d bytes", maxSize)}}}
	}
	d := decoder{lines: map[string]int{}}
	if d.document(data, reflect.ValueOf(into).Elem()) {
		validate(&d)
	}
	if len(d.mistakes) > 0 {
		return d.failure(file)
	}
	return nil
}

// validate tells d what is wrong in a tree that has the right shape.
func (c *Config) validate(d *decoder) {
	if len(c.Accounts) == 0 {
		d.invalid("accounts", "at least one account is required")
	}
	first := map[string]int{}
	for i, a := range c.Accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		d.section(path, a.Validate())
		d.section(path+".credentials", a.Credentials.Validate())
		if a.ActingCredentials != nil {
			d.section(path+".acting_credentials", a.ActingCredentials.Validate())
		}
		if j, ok := first[a.Name]; ok && a.Name != "" {
			d.invalid(path+".name", fmt.Sprintf("%q is the name of accounts[%d] already", a.Name, j))
		} else {
			first[a.Name] = i
		}
	}
	d.section("collect", c.Collect.Validate())
	d.section("rate_limits", c.RateLimits.Validate())
	c.validateAdmin(d)
}

func (c *Config) validateAdmin(d *decoder) {
	d.section("admin", c.Admin.Validate())
	d.section("admin", c.Admin.Engine.Validate())
	d.section("admin", c.Admin.CheckRunbooks(c.Runbooks))
	d.section("runbooks", admin.ValidateRunbooks(c.Runbooks))
}

// resolvePaths makes the paths in the configuration relative to dir.
func (c *Config) resolvePaths(dir string) {
	resolve := func(cs *api.CredentialsConfig) {
		if cs == nil {
			return
		}
		for _, p := range []*string{&cs.AccessKeyIDFile, &cs.AccessKeySecretFile, &cs.SecurityTokenFile, &cs.OIDCTokenFile} {
			if *p != "" && !filepath.IsAbs(*p) {
				*p = filepath.Join(dir, *p)
			}
		}
	}
	for i := range c.Accounts {
		resolve(&c.Accounts[i].Credentials)
		resolve(c.Accounts[i].ActingCredentials)
	}
	c.Admin.ResolvePaths(dir)
}
