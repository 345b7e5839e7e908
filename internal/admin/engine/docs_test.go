package engine_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
)

const safetyDocument = "../../../docs/safety.md"

// TestSafetyDocument holds the tables of docs/safety.md to those of the code.
// What is around them is written by hand.
func TestSafetyDocument(t *testing.T) {
	t.Parallel()
	golden.Sections(t, safetyDocument, map[string]string{"actions": actionTable(), "guards": guardTable()})
}

func actionTable() string {
	var b strings.Builder
	b.WriteString("| Action | Effect | Must be read before | Confirmed by | Own guards | Webhook | Inverse |\n|---|---|---|---|---|---|---|\n")
	for _, r := range engine.Rows() {
		a, _ := api.Lookup(r.Action)
		tagged, webhook, own := "", "", "–"
		if r.Tagged {
			tagged = "; tagged with the run's id"
		}
		if r.Webhook {
			webhook = "yes"
		}
		if len(r.Guards) > 0 {
			own = "`" + strings.Join(r.Guards, "`, `") + "`"
		}
		needs := r.Needs
		if needs == "" {
			needs = "–"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | `%s`: %s%s | %s | %s | %s |\n", r.Action, a.Effect, needs, a.Confirm, r.Check, tagged, own, webhook, r.Inverse)
	}
	return b.String()
}

func guardTable() string {
	var b strings.Builder
	b.WriteString("| Guard | Lets a plan pass when |\n|---|---|\n")
	for _, g := range engine.GuardRows() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", g.Name, g.About)
	}
	return b.String()
}

// TestSafetyDocumentStates holds what the page says of the states, which is
// written by hand, to the states that there are.
func TestSafetyDocumentStates(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(safetyDocument)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- states -->\n")
	table, _, _ := strings.Cut(rest, "<!-- end -->")
	var named []string
	for line := range strings.Lines(table) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.HasPrefix(line, "| `") {
			named = append(named, name)
		}
	}
	var want []string
	for _, s := range engine.States() {
		want = append(want, string(s))
	}
	if !slices.Equal(named, want) {
		t.Errorf("docs/safety.md has the states %v; there are %v", named, want)
	}
}
