package admin

import (
	"strings"
	"testing"
)

func TestMatchersAreAlertmanagers(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"alertname": "Lag", "severity": "critical", "team": `a "b"`, "a.b": "x"}
	for text, want := range map[string]bool{
		`alertname="Lag"`:                     true,
		`alertname = "Lag"`:                   true,
		`alertname=Lag`:                       true,
		`{alertname="Lag"}`:                   true,
		`alertname!="Lag"`:                    false,
		`severity=~"warning|critical"`:        true,
		`severity=~"crit"`:                    false, // the whole value
		`severity!~"crit.*"`:                  false,
		`severity=~warning|critical`:          true,
		`missing=""`:                          true,
		`missing!="x"`:                        true,
		`missing=~".+"`:                       false,
		`team="a \"b\""`:                      true,
		`"a.b"="x"`:                           true,
		`alertname=~"Lag|"`:                   true,
		`alertname=~"(?i)lag"`:                true,
		`alertname="Lag" , severity="x"`:      false, // an error
		`alertname=="Lag"`:                    false, // an error: the value needs quotes or is =
		`severity="critical"}`:                false, // an error
		`alertname=~"("`:                      false, // an error
		`="Lag"`:                              false, // an error
		`alertname`:                           false, // an error
		`alertname="Lag`:                      false, // an error
		strings.Repeat("a", 70) + ` x ` + `=`: false, // an error
	} {
		m, err := ParseMatcher(text)
		if err != nil {
			if want {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if m.Matches(labels) != want {
			t.Errorf("%s: matches %v, want %v", text, !want, want)
		}
	}
}

func FuzzMatcher(f *testing.F) {
	for _, text := range []string{`a="b"`, `{a!~"b.*"}`, `"x y"=~"\u00e9"`, `a=`, `a=~"(`} {
		f.Add(text, "b")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		m, err := ParseMatcher(text)
		if err != nil {
			return
		}
		again, err := ParseMatcher(m.String())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, m, err)
		}
		labels := map[string]string{m.Name: value}
		if m.Matches(labels) != again.Matches(labels) {
			t.Errorf("%q and %q differ on %q", text, m, value)
		}
	})
}
