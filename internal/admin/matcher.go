package admin

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// Matcher is a condition on a label, written as in Alertmanager: name="value",
// !=, =~ and !~. Expressions match whole values. A label that an alert lacks is
// empty. The zero Matcher matches nothing.
type Matcher struct {
	Name  string
	Value string

	op string
	re *regexp.Regexp // of =~ and !~
}

// Matches reports whether labels fulfil the condition.
func (m Matcher) Matches(labels map[string]string) bool {
	value := labels[m.Name]
	switch m.op {
	case "=":
		return value == m.Value
	case "!=":
		return value != m.Value
	case "=~":
		return m.re.MatchString(value)
	case "!~":
		return !m.re.MatchString(value)
	}
	return false
}

// String returns the matcher in the syntax that UnmarshalText reads.
func (m Matcher) String() string {
	name := m.Name
	if !model.LegacyValidation.IsValidLabelName(name) {
		name = strconv.Quote(name)
	}
	return name + m.op + strconv.Quote(m.Value)
}

// MarshalText implements encoding.TextMarshaler.
func (m Matcher) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Matcher) UnmarshalText(text []byte) error {
	parsed, err := ParseMatcher(string(text))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// ParseMatcher reads one matcher. Names and values may be quoted; a value with
// a quote, a comma, a brace or a space must be. Braces around it are allowed.
func ParseMatcher(s string) (Matcher, error) {
	if !utf8.ValidString(s) {
		return Matcher{}, errors.New("not UTF-8")
	}
	rest := strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		if inner, ok = strings.CutSuffix(inner, "}"); !ok {
			return Matcher{}, errors.New("the brace is not closed")
		}
		rest = strings.TrimSpace(inner)
	}
	name, rest, err := matcherText(rest, "=!~")
	if err != nil {
		return Matcher{}, fmt.Errorf("label name: %w", err)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return Matcher{}, fmt.Errorf("%q is no label name", shorten(name))
	}
	m := Matcher{Name: name}
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if after, ok := strings.CutPrefix(rest, op); ok {
			m.op, rest = op, strings.TrimSpace(after)
			break
		}
	}
	if m.op == "" {
		return Matcher{}, errors.New("wants one of =, !=, =~, !~ after the label name")
	}
	value, rest, err := matcherText(rest, "")
	switch {
	case err != nil:
		return Matcher{}, fmt.Errorf("value: %w", err)
	case rest != "":
		return Matcher{}, fmt.Errorf("%q follows the value: one matcher a list entry", shorten(rest))
	}
	m.Value = value
	if m.op == "=~" || m.op == "!~" {
		if _, err := regexp.Compile(value); err != nil {
			return Matcher{}, err
		}
		if m.re, err = regexp.Compile("^(?:" + value + ")$"); err != nil {
			return Matcher{}, err
		}
	}
	return m, nil
}

// matcherText takes a quoted text, or an unquoted one that ends before one of
// the characters of end, from the front of s.
func matcherText(s, end string) (text, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", errors.New("the quote is not closed, or holds an escape that is not known")
		}
		text, err = strconv.Unquote(quoted)
		if err != nil || !utf8.ValidString(text) {
			return "", "", errors.New("holds an escape that is not known")
		}
		return text, strings.TrimSpace(s[len(quoted):]), nil
	}
	stop := len(s)
	if end != "" {
		if i := strings.IndexAny(s, end); i >= 0 {
			stop = i
		}
	}
	text, rest = strings.TrimSpace(s[:stop]), s[stop:]
	if strings.ContainsAny(text, "{}\"',`\\ \t\n\r") {
		return "", "", fmt.Errorf("%q needs quotes", shorten(text))
	}
	return text, rest, nil
}
