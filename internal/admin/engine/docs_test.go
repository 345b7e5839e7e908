package engine_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/safety.md")

// TestSafetyDocument compares the tables in docs/safety.md with those of the
// code. What is around them is written by hand.
func TestSafetyDocument(t *testing.T) {
	t.Parallel()
	const file = "../../../docs/safety.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for name, table := range map[string]string{"actions": actionTable(), "guards": guardTable(), "states": stateTable(t, got)} {
		got = replaceTable(t, got, name, table)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(text) {
		t.Errorf("%s is not what the tables say; run make golden", file)
	}
}

// replaceTable puts a table between its marks.
func replaceTable(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- table: "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/safety.md has no marks for table %s", name)
	}
	return before + begin + table + end + after
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

// stateTable keeps what the page says of the states and holds its rows to the
// states that there are.
func stateTable(t *testing.T, text string) string {
	t.Helper()
	_, rest, _ := strings.Cut(text, "<!-- table: states -->\n")
	table, _, _ := strings.Cut(rest, "<!-- end of states -->")
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
	return table
}
