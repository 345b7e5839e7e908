package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

var (
	// What follows tells a metric from the id of an instance.
	metricName = regexp.MustCompile(`\b(alikafka_[a-z_]*[a-z])([^a-z_]|$)`)
	descName   = regexp.MustCompile(`fqName: "([^"]+)"`)
)

// TestDocumentedMetricsExist holds what users are told to query and alert on
// to what is exported.
func TestDocumentedMetricsExist(t *testing.T) {
	t.Parallel()
	exported := exportedMetrics()
	root := filepath.Join("..", "..")
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/runbooks/*.md", "deploy/*/*.yml", "alerts/*.y*ml", "dashboards/*.json"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range metricName.FindAllStringSubmatch(string(text), -1) {
				if m[2] != "-" && !exported[m[1]] {
					t.Errorf("%s mentions %s, which is not exported", file, m[1])
				}
			}
		}
	}
}

func exportedMetrics() map[string]bool {
	names := map[string]bool{"alikafka_exporter_build_info": true} // from client_golang
	config := collector.DefaultConfig()
	config.Tags, config.OwnerInfo = []string{"team"}, true
	for _, f := range collector.Families(config) {
		names[f.Name] = true
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		for _, c := range []prometheus.Collector{collector.NewMetrics(), engine.NewMetrics(), admin.NewMetrics()} {
			c.Describe(descs)
		}
		close(descs)
	}()
	for d := range descs {
		name := descName.FindStringSubmatch(d.String())[1]
		names[name] = true
		names[name+"_bucket"] = strings.HasSuffix(name, "_duration_seconds") // the histograms
	}
	return names
}
