package collector_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
)

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
	labels.WriteString("| Label | |\n|---|---|\n")
	for _, l := range collector.DiscoveryLabels() {
		fmt.Fprintf(&labels, "| `%s` | %s |\n", l.Name, l.Meaning)
	}
	golden.Sections(t, "../../docs/compatibility.md", map[string]string{
		"generated from the table of families":         "\n" + families.String() + "\n",
		"generated from the table of discovery labels": "\n" + labels.String() + "\n",
	})
}
