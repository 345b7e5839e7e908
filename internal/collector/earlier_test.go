package collector_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// TestTheStateOfEarlierVersionsIsRead holds this version to state files that
// earlier ones wrote. Beside each file lies what the version that wrote it
// showed of it 45 s later, which is ten minutes and 45 s after the beginning of
// simulated time.
func TestTheStateOfEarlierVersionsIsRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/*.state")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		story := strings.TrimSuffix(filepath.Base(file), ".state")
		t.Run(filepath.Base(filepath.Dir(file))+"/"+story, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			state, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "state"), state, 0o600)
			}
			check(t, err)
			page, err := os.ReadFile(strings.TrimSuffix(file, ".state") + ".txt")
			check(t, err)
			synctest.Test(t, func(t *testing.T) {
				<-time.After(10*time.Minute + 45*time.Second)
				s := defaults()
				s.config.Tags, s.config.OwnerInfo = []string{"team"}, true
				e := reborn(t, s, newCloud(t, sim.Options{Story: story, Keys: map[string]string{"testid": "testsecret"}}), dir)
				got := lines(gather(t, e.Families("")))
				for want := range strings.Lines(string(page)) {
					if want = strings.TrimSuffix(want, "\n"); !slices.Contains(got, want) {
						t.Errorf("it showed %s, which is not shown any more", want)
					}
				}
			})
		})
	}
}
