package admin

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/admin.md")

// TestTheDocumentHasTheTables compares what docs/admin.md says between its
// markers with the tables of the code.
func TestTheDocumentHasTheTables(t *testing.T) {
	t.Parallel()
	const file = "../../docs/admin.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for marker, table := range documentTables() {
		begin := "<!-- " + marker + " -->\n"
		before, rest, found := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, "<!-- end -->\n")
		if !found || !closed {
			t.Fatalf("no place for the table %s", marker)
		}
		want = before + begin + table + "<!-- end -->\n" + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("docs/admin.md differs from the tables: make golden")
	}
}

func documentTables() map[string]string {
	var routeTable, reasonTable, typeTable, webhookTable, outcomeTable strings.Builder
	routeTable.WriteString("| Request | |\n|---|---|\n")
	for _, r := range routes() {
		fmt.Fprintf(&routeTable, "| `%s %s` | %s |\n", r.method, strings.ReplaceAll(r.path, "{$}", ""), r.about)
	}
	reasonTable.WriteString("| Status | Reason | |\n|---|---|---|\n")
	for _, r := range reasons {
		fmt.Fprintf(&reasonTable, "| %d | <a id=%q></a>`%s` | %s: %s |\n", r.status, strings.ReplaceAll(string(r.reason), "_", "-"), r.reason, r.title, r.when)
	}
	typeTable.WriteString("| Type | |\n|---|---|\n")
	for _, p := range paramTypes {
		fmt.Fprintf(&typeTable, "| `%s` | %s |\n", p.name, p.about)
	}
	for _, name := range webhookActionNames() {
		fmt.Fprintf(&webhookTable, "- %s\n", name)
	}
	outcomeTable.WriteString("| Outcome | |\n|---|---|\n")
	for _, o := range runbookOutcomes {
		fmt.Fprintf(&outcomeTable, "| `%s` | %s |\n", o.outcome, o.about)
	}
	return map[string]string{
		"routes": routeTable.String(), "reasons": reasonTable.String(), "types": typeTable.String(),
		"webhook": webhookTable.String(), "outcomes": outcomeTable.String(),
	}
}
