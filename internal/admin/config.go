package admin

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// Config is the `admin` section: who may ask for what. DefaultConfig gives the
// values of absent keys.
type Config struct {
	// AllowedHosts are the names under which the admin listener is reached,
	// besides localhost and IP addresses. A port in a request is ignored.
	AllowedHosts []string `yaml:"allowed_hosts"`
	// Principals are those who may call, each with a token of its own.
	Principals []Principal `yaml:"principals"`
	// RepeatInterval is the repeat_interval of Alertmanager's route: an
	// episode of which nothing was heard for twice as long is over.
	RepeatInterval model.Duration `yaml:"alertmanager_repeat_interval"`

	Engine engine.Config `yaml:",inline"`
}

// DefaultConfig returns a section without principals.
func DefaultConfig() Config {
	return Config{RepeatInterval: model.Duration(4 * time.Hour), Engine: engine.DefaultConfig()}
}

// Principal is somebody who may call: a person or a sender of webhooks. Absent
// permissions are not given.
type Principal struct {
	// Name is unique; runs and approvals show it.
	Name string `yaml:"name"`
	// Kind is person or webhook.
	Kind string `yaml:"kind"`
	// TokenFile holds the token: at least 20 characters, 32 random bytes in
	// hex or base64 for choice. It is read again when it changes.
	TokenFile string `yaml:"token_file"`
	// TokenSHA256 is the SHA-256 of the token in hex, in place of a file.
	TokenSHA256 string `yaml:"token_sha256"`
	// Actions and Effects are what a person may call: actions by name, and all
	// actions of an effect.
	Actions []string `yaml:"actions"`
	Effects []string `yaml:"effects"`
	// Instances are the ids of the cloud instances on which. An order of a new
	// instance has no id: it needs an expression that matches the empty text.
	Instances collector.Regexp `yaml:"instances"`
	// Runbooks are those that the alerts of a webhook may start.
	Runbooks []string `yaml:"runbooks"`
	// MayApprove: may approve and reject what others asked for.
	MayApprove bool `yaml:"may_approve"`
	// Privileged: may let acting go on after a stop.
	Privileged bool `yaml:"privileged"`
}

var principalName = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,64}$`)

// Validate reports every mistake at once: *api.FieldError values, joined, with
// their paths below `admin`. Engine has a Validate of its own.
func (c Config) Validate() error {
	var m api.Mistakes
	for i, host := range c.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/:*@ ") {
			m.Bad(fmt.Sprintf("allowed_hosts[%d]", i), "%q is no host name (a name alone, without a port)", host)
		}
	}
	names, hashes := map[string]int{}, map[string]int{}
	for i, p := range c.Principals {
		path := fmt.Sprintf("principals[%d]", i)
		p.validate(&m, path)
		if first, ok := names[p.Name]; ok && p.Name != "" {
			m.Bad(path+".name", "%q is the name of principals[%d] already", p.Name, first)
		}
		names[p.Name] = i
		if first, ok := hashes[p.TokenSHA256]; ok && p.TokenSHA256 != "" {
			m.Bad(path+".token_sha256", "is the token of principals[%d] already", first)
		}
		hashes[p.TokenSHA256] = i
	}
	if d := time.Duration(c.RepeatInterval); d < time.Minute || d > 30*24*time.Hour {
		m.Bad("alertmanager_repeat_interval", "%s is not between 1m and 30d", c.RepeatInterval)
	}
	return m.Join()
}

func (p Principal) validate(m *api.Mistakes, path string) {
	if !principalName.MatchString(p.Name) {
		m.Bad(path+".name", "%q is not of the form %s", p.Name, principalName)
	}
	switch hash, err := hex.DecodeString(p.TokenSHA256); {
	case p.TokenFile == "" && p.TokenSHA256 == "":
		m.Bad(path+".token_file", "required (or token_sha256)")
	case p.TokenFile != "" && p.TokenSHA256 != "":
		m.Bad(path+".token_sha256", "give either it or token_file")
	case p.TokenSHA256 != "" && (err != nil || len(hash) != 32):
		m.Bad(path+".token_sha256", "is not the SHA-256 of a token: 64 hexadecimal digits")
	}
	for i, name := range p.Actions {
		if _, ok := api.Lookup(name); !ok {
			m.Bad(fmt.Sprintf("%s.actions[%d]", path, i), "unknown action %q%s", name, api.DidYouMean(name, actionNames()))
		}
	}
	for i, name := range p.Effects {
		if !slices.Contains(effectNames(), name) {
			m.Bad(fmt.Sprintf("%s.effects[%d]", path, i), "unknown effect %q, none of %s", name, strings.Join(effectNames(), ", "))
		}
	}
	if p.Instances.IsZero() && len(p.Actions)+len(p.Effects)+len(p.Runbooks) > 0 {
		m.Bad(path+".instances", "required: which instances; .* means all")
	}
	switch p.Kind {
	case string(engine.Person):
		if len(p.Runbooks) > 0 {
			m.Bad(path+".runbooks", "are for principals of kind webhook")
		}
	case string(engine.Webhook):
		if len(p.Actions)+len(p.Effects) > 0 {
			m.Bad(path+".actions", "a webhook has runbooks, and neither actions nor effects")
		}
		if p.MayApprove || p.Privileged {
			m.Bad(path+".kind", "a webhook neither approves nor restarts: kind must be person")
		}
	default:
		m.Bad(path+".kind", "%q is neither person nor webhook", p.Kind)
	}
}

func actionNames() []string {
	var names []string
	for _, a := range api.Actions() {
		names = append(names, a.Name)
	}
	return names
}

func effectNames() []string {
	var names []string
	for e := api.Read; e <= api.Bill; e++ {
		names = append(names, e.String())
	}
	return names
}

// ResolvePaths makes the paths in the section relative to dir.
func (c Config) ResolvePaths(dir string) {
	for i := range c.Principals {
		if p := &c.Principals[i]; p.TokenFile != "" && !filepath.IsAbs(p.TokenFile) {
			p.TokenFile = filepath.Join(dir, p.TokenFile)
		}
	}
	c.Engine.ResolvePaths(dir)
}

// CheckRunbooks reports principals that name runbooks which are not there, with
// their paths below `admin`.
func (c Config) CheckRunbooks(runbooks []Runbook) error {
	var m api.Mistakes
	var names []string
	for _, r := range runbooks {
		names = append(names, r.Name)
	}
	for i, p := range c.Principals {
		for j, name := range p.Runbooks {
			if !slices.Contains(names, name) {
				m.Bad(fmt.Sprintf("principals[%d].runbooks[%d]", i, j), "no runbook %q%s", name, api.DidYouMean(name, names))
			}
		}
	}
	return m.Join()
}

// hostAllowed reports whether a request may name that host. An IP address is
// never the work of DNS rebinding, which needs a name.
func (c Config) hostAllowed(host string) bool {
	if h, port, ok := cutPort(host); ok && port != "" {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(c.AllowedHosts, func(a string) bool { return strings.EqualFold(a, host) })
}

// cutPort splits host:port; not ok where there is no port.
func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") || strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
		return s, "", false
	}
	for _, r := range s[i+1:] {
		if r < '0' || r > '9' {
			return s, "", false
		}
	}
	return s[:i], s[i+1:], true
}
