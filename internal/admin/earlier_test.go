package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
)

// TestTheJournalsOfEarlierVersionsAreRead holds this version to journals that
// earlier ones wrote. Beside each lies what the version that wrote it answered
// about runs and episodes.
func TestTheJournalsOfEarlierVersionsAreRead(t *testing.T) {
	t.Parallel()
	versions := map[string]time.Time{ // and when their journals ended
		"4316e51": time.Date(2026, time.November, 28, 6, 29, 30, 0, time.UTC),
	}
	for version, at := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(at))
				h := build(t, "")
				h.stop()
				testdata := filepath.Join("testdata", version)
				own := filepath.Join(h.dir, "journal")
				if err := os.RemoveAll(own); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(own, os.DirFS(filepath.Join(testdata, "journal"))); err != nil {
					t.Fatal(err)
				}
				h.start()
				for _, list := range []string{"runs", "episodes"} {
					a := h.do(request{path: "/api/v1/" + list, as: "bob"})
					text, err := os.ReadFile(filepath.Join(testdata, list+".json"))
					if err != nil {
						t.Fatal(err)
					}
					var was any
					if err := json.Unmarshal(text, &was); err != nil {
						t.Fatal(err)
					}
					stillSays(t, list, was, any(a.json))
				}
				// It goes on where the other version ended, and the chain of hashes holds.
				h.act("alice", "next", "ModifyTopicRemark", remark, http.StatusOK)
				time.Sleep(time.Minute)
				h.stop()
				if _, err := journal.Scan(journal.Disk{}, own, func(journal.Record, journal.Hash) error { return nil }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// stillSays fails the test where an answer lacks what it was, or has it
// otherwise. It may say more.
func stillSays(t *testing.T, path string, was, is any) {
	t.Helper()
	switch was := was.(type) {
	case map[string]any:
		is, _ := is.(map[string]any)
		for name, value := range was {
			stillSays(t, path+"."+name, value, is[name])
		}
	case []any:
		is, _ := is.([]any)
		if len(is) != len(was) {
			t.Errorf("%s: %d, there were %d", path, len(is), len(was))
			return
		}
		for i, value := range was {
			stillSays(t, fmt.Sprintf("%s[%d]", path, i), value, is[i])
		}
	default:
		if !reflect.DeepEqual(was, is) {
			t.Errorf("%s is %v, it was %v", path, is, was)
		}
	}
}
