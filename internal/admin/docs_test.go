package admin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
)

// TestTheDocumentHasTheTables holds the tables of docs/admin.md to those of the
// code.
func TestTheDocumentHasTheTables(t *testing.T) {
	t.Parallel()
	golden.Sections(t, "../../docs/admin.md", documentTables())
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
	for _, name := range engine.WebhookActions() {
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
