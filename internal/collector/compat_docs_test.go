package collector_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

const compatDocument = "../../docs/compatibility.md"

// goldenSection compares the part of a document between a comment and
// <!-- end --> with what the tables say.
func goldenSection(t *testing.T, file, comment, got string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), "<!-- "+comment+" -->\n")
	_, after, closed := strings.Cut(rest, "<!-- end -->")
	if !ok || !closed {
		t.Fatalf("%s has no section %q", file, comment)
	}
	golden(t, file, before+"<!-- "+comment+" -->\n\n"+got+"\n<!-- end -->"+after)
}

// TestCompatibilityDocument is not parallel within itself: both sections are
// of the same file.
func TestCompatibilityDocument(t *testing.T) {
	t.Parallel()
	var families, labels strings.Builder
	families.WriteString("| Metric | Labels | HELP | Ours |\n|---|---|---|---|\n")
	for _, f := range collector.KafkaExporterFamilies() {
		ours := "sum of `alikafka_consumer_group_partition_offset`"
		if name, ok := sameAs[f.Name]; ok {
			ours = "`" + name + "`"
		}
		fmt.Fprintf(&families, "| `%s` | `%s` | %s | %s |\n", f.Name, strings.Join(f.Labels, "`, `"), f.Help, ours)
	}
	goldenSection(t, compatDocument, "generated from the table of families", families.String())
	labels.WriteString("| Label | |\n|---|---|\n")
	for _, l := range collector.DiscoveryLabels() {
		fmt.Fprintf(&labels, "| `%s` | %s |\n", l.Name, l.Meaning)
	}
	goldenSection(t, compatDocument, "generated from the table of discovery labels", labels.String())
}
