// Package secret keeps credentials out of everything that is printed.
package secret

import (
	"fmt"
	"log/slog"
	"unique"
)

// Redacted is what a non-empty String prints, wherever it is printed.
const Redacted = "<secret>"

// String is a string that prints as Redacted under every verb, in JSON, YAML,
// text and slog. Only Reveal gives the value. The zero value means "not set"
// and prints as an empty string. Strings can be compared with ==.
type String struct {
	// A handle, since fmt reads unexported fields of other structs without
	// asking their methods: it finds a pointer there, not the secret.
	value unique.Handle[string]
}

// New wraps s.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{value: unique.Make(s)}
}

// Reveal returns the secret itself. Callers hand it to a signer, never to a
// formatter.
func (s String) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.value.Value()
}

// IsZero reports whether no secret is set.
func (s String) IsZero() bool { return s == String{} }

// String implements fmt.Stringer.
func (s String) String() string {
	if s.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements fmt.Formatter, so that %#v and %x tell no more than %s.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// GoString implements fmt.GoStringer.
func (s String) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler, which JSON uses as well.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML implements yaml.Marshaler.
func (s String) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue implements slog.LogValuer.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
