package config

import (
	"bytes"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// String returns the configuration as YAML, with defaults, without keys that
// are not set, and without secrets.
func (c *Config) String() string {
	var doc yaml.Node
	if err := doc.Encode(c); err != nil {
		return "the configuration cannot be shown: " + err.Error()
	}
	prune(&doc)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return "the configuration cannot be shown: " + err.Error()
	}
	return b.String()
}

// prune takes away what is not set, and hides what could help to guess a
// secret.
func prune(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		var kept []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			prune(value)
			if unset(value) {
				continue
			}
			if slices.Contains([]string{"token_sha256", "external_id"}, key.Value) {
				value.Value = secret.Redacted
			}
			kept = append(kept, key, value)
		}
		n.Content = kept
		return
	}
	for _, child := range n.Content {
		prune(child)
	}
}

// unset reports whether a value is null, an empty text, list or mapping.
func unset(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return n.Tag == "!!null" || n.Value == ""
	}
	return len(n.Content) == 0
}
