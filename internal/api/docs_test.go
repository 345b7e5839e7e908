package api_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
)

// TestActionsDocument compares docs/actions.md with the table.
func TestActionsDocument(t *testing.T) {
	t.Parallel()
	document := actionsDocument()
	golden.File(t, "../../docs/actions.md", document)
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) ").FindAllStringSubmatch(document, -1)
	if len(rows) != 57 {
		t.Errorf("%d rows", len(rows))
	}
	refs := references(t)
	for _, row := range rows {
		if _, ok := refs[row[1]]; !ok {
			t.Errorf("%s is in no document", row[1])
		}
		delete(refs, row[1])
	}
	for action := range refs {
		t.Errorf("%s is not listed", action)
	}
}

func actionsDocument() string {
	var b strings.Builder
	b.WriteString(`# Actions

Generated from the table of actions; a test compares them. These are the calls of the cloud's API (alikafka, version
` + api.Version + `) that the program knows: 34 of the API reference of 2022, 23 of the current official SDK. Polling makes read
calls only.

**Effect** is the worst that a call can do: it reads (` + "`Read`" + `), changes something (` + "`Write`" + `), restarts brokers or interrupts
clients (` + "`Disrupt`" + `), changes who may connect or read (` + "`Secure`" + `), loses data or service (` + "`Destroy`" + `), or spends money
(` + "`Bill`" + `). **Again** says whether an identical second call is harmless. **QPS** is the documented number of calls per
second and account, where there is one of the action's own. A **RAM action** with * is stated by no document but follows
those that are. **Confirmed by** is the read that shows whether a call took effect.

A parameter with several values is listed as ` + "`Name.N`" + `: ` + "`Name.1`, `Name.2`" + ` and so on. Secret parameters are in italics; their
values never reach a log, an error or a page. What is optional may be needed together with something else; a call without
it is refused and told so.

`)
	subject := ""
	for _, a := range api.Actions() {
		if a.Subject != subject {
			subject = a.Subject
			fmt.Fprintf(&b, "## %s\n\n| Action | Effect | Again | Required | Optional | QPS | RAM action | Confirmed by |\n|---|---|---|---|---|---|---|---|\n", subject)
		}
		b.WriteString(actionRow(a))
		if last(a) {
			b.WriteByte('\n')
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// last reports whether a is the last row of its subject.
func last(a *api.Action) bool {
	var l *api.Action
	for _, other := range api.Actions() {
		if other.Subject == a.Subject {
			l = other
		}
	}
	return l == a
}

func actionRow(a *api.Action) string {
	var required, optional []string
	for _, p := range a.Params {
		name := "`" + p.Name + "`"
		if p.Secret {
			name = "*" + name + "*"
		}
		if p.Required {
			required = append(required, name)
		} else {
			optional = append(optional, name)
		}
	}
	again, qps, ram, confirm := "yes", "", "`"+a.RAM+"`", ""
	if !a.Repeatable {
		again = "**no**"
	}
	if a.QPS > 0 {
		qps = fmt.Sprint(a.QPS)
	}
	if a.RAMInferred {
		ram += " *"
	}
	if a.Confirm != "" {
		confirm = "`" + a.Confirm + "`"
	}
	var row strings.Builder
	for _, cell := range []string{"`" + a.Name + "`", a.Effect.String(), again, strings.Join(required, ", "), strings.Join(optional, ", "), qps, ram, confirm} {
		row.WriteString(strings.TrimRight("| "+cell, " ") + " ")
	}
	return row.String() + "|\n"
}
