package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are the files that tell users what to type.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/systemd/*", "deploy/prometheus/*", "Dockerfile"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatal("nothing matches", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.Base(file)] = string(text)
		}
	}
	return texts
}

var (
	// All our flags have a dot in them, unlike those of the other programs
	// that the documents mention.
	flag      = regexp.MustCompile(`--[a-z]+(\.[a-z-]+)+`)
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
)

func TestDocumentedFlagsExist(t *testing.T) {
	t.Parallel()
	help, err := exec.CommandContext(t.Context(), exporter(t), "--help-long").CombinedOutput()
	if err != nil {
		t.Fatalf("--help-long: %v\n%s", err, help)
	}
	for file, text := range documents(t) {
		for _, name := range flag.FindAllString(text, -1) {
			if !strings.Contains(string(help), name) && !strings.Contains(string(help), strings.Replace(name, "--", "--[no-]", 1)) {
				t.Errorf("%s mentions %s, which the program does not know", file, name)
			}
		}
	}
}

func TestDocumentedScrapeConfigurationIsValid(t *testing.T) {
	t.Parallel()
	found := 0
	for file, text := range documents(t) {
		for _, block := range yamlBlock.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(block[1], "scrape_configs:\n") {
				continue
			}
			found++
			config := filepath.Join(t.TempDir(), "prometheus.yml")
			if err := os.WriteFile(config, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "promtool", "check", "config", config).CombinedOutput()
			if err != nil {
				t.Errorf("%s: promtool check config: %v\n%s", file, err, out)
			}
		}
	}
	if found == 0 {
		t.Error("no document shows a scrape configuration")
	}
}

func TestDocumentedConfigurationIsValid(t *testing.T) {
	t.Parallel()
	found := 0
	for file, text := range documents(t) {
		for _, block := range yamlBlock.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(block[1], "accounts:\n") {
				continue
			}
			found++
			config := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(config, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), exporter(t), "check", "config", config).CombinedOutput()
			if err != nil {
				t.Errorf("%s: check config: %v\n%s", file, err, out)
			}
		}
	}
	if found == 0 {
		t.Error("no document shows a configuration")
	}
}
