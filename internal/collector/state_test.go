package collector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// reborn is an exporter that begins with the state in dir.
func reborn(t *testing.T, s setting, cloud *sim.Cloud, dir string) exporter {
	t.Helper()
	state, err := collector.LoadState(dir, true)
	if err != nil || state == nil {
		t.Fatal(state, err)
	}
	s.state = state
	return start(t, s, cloud)
}

func TestARestartKeepsWhatWasKnown(t *testing.T) {
	t.Parallel()
	for _, story := range []string{"lively", "rewind", "stop"} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(t, sim.Options{Story: story, Keys: map[string]string{"testid": "testsecret"}})
				s := defaults()
				s.config.Tags, s.config.OwnerInfo = []string{"team"}, true
				e := start(t, s, cloud)
				e.run(t, 10*time.Minute)
				if err := e.Save(dir); err != nil {
					t.Fatal(err)
				}
				<-time.After(45 * time.Second)
				calls := cloud.Calls(sim.Match{}).Calls
				next := reborn(t, s, cloud, dir)
				want, got := lines(unplanned(gather(t, e.Families("")))), lines(unplanned(gather(t, next.Families(""))))
				if d := cmp.Diff(want, got); d != "" || len(got) < 100 {
					t.Fatalf("before (-) and after (+) the restart, of %d lines:\n%s", len(got), d)
				}
				compare(t, "the first scrape", next, "")
				age, _ := value(gather(t, next.Families("")), "alikafka_data_age_seconds", "source", "consumer_group_progress")
				if age < 45 {
					t.Errorf("data are %v s old, and nothing was read for 45 s", age)
				}
				defer background(t, next)()
				synctest.Wait()
				select {
				case <-next.Ready():
				default:
					t.Error("it is not ready with what was restored")
				}
				if n := cloud.Calls(sim.Match{}).Calls - calls; n > 20 {
					t.Errorf("%d calls at once", n)
				}
			})
		})
	}
}

// unplanned drops the families of the plan, which is made anew for the time at
// which it is asked for.
func unplanned(families map[string]*dto.MetricFamily) map[string]*dto.MetricFamily {
	maps.DeleteFunc(families, func(name string, _ *dto.MetricFamily) bool { return strings.HasPrefix(name, "alikafka_plan_") })
	return families
}

// TestARestartInTheMiddleOfAnIncident restarts an exporter while a group has
// stopped, and compares it with a twin that runs on.
func TestARestartInTheMiddleOfAnIncident(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ref := sim.Ref{Account: "main", Instance: "alikafka_pre-cn-1", Group: "group-of-a"}
		cloud := newCloud(t, sim.Options{World: world("a", "b")})
		s := pollsEvery(30*time.Second, "cn-hangzhou")
		s.config.HideLastTimestamp = true
		twin, first := start(t, s, cloud), start(t, s, cloud)
		defer background(t, twin)()
		stop := background(t, first)
		<-time.After(10 * time.Minute)
		check(t, cloud.SetMembers(ref, 0))
		check(t, cloud.Pause(ref))
		<-time.After(4 * time.Minute)
		stop()
		check(t, first.Save(dir))
		<-time.After(3 * time.Minute) // down
		next := reborn(t, s, cloud, dir)
		defer background(t, next)()
		agree := func(when, status string) {
			t.Helper()
			want, got := gather(t, twin.Families("")), gather(t, next.Families(""))
			if v, ok := value(got, "alikafka_consumer_group_status", "consumer_group", "group-of-a", "status", status); !ok || v != 1 {
				t.Errorf("%s: not %s", when, status)
			}
			if v, _ := value(got, "alikafka_consumer_group_topic_lag_seconds_method", "consumer_group", "group-of-a", "method", "history"); status != "ok" && v != 1 {
				t.Errorf("%s: lag in seconds is not from history", when)
			}
			for name, slack := range map[string]float64{
				"alikafka_consumer_group_lag_seconds": 35, "alikafka_consumer_group_rebalances_total": 0, "alikafka_consumer_group_last_rebalance_timestamp_seconds": 0,
			} {
				w, _ := value(want, name, "consumer_group", "group-of-a")
				g, ok := value(got, name, "consumer_group", "group-of-a")
				if !ok || g < w-slack || g > w+slack {
					t.Errorf("%s: %s is %v (%t), and %v for the twin that ran on", when, name, g, ok, w)
				}
			}
		}
		if v, ok := value(gather(t, next.Families("")), "alikafka_consumer_group_status", "consumer_group", "group-of-a", "status", "stopped"); !ok || v != 1 {
			t.Error("the first scrape does not say stopped")
		}
		<-time.After(2 * time.Minute)
		agree("two minutes later", "stopped")
		check(t, cloud.SetMembers(ref, 2))
		check(t, cloud.Resume(ref, 20))
		<-time.After(5 * time.Minute)
		agree("after the incident", "ok")
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// saved returns an exporter that has read a small world, and its state.
func saved(t *testing.T, dir string) (exporter, []byte) {
	t.Helper()
	e := start(t, defaults("cn-hangzhou"), newCloud(t, sim.Options{World: world("a")}))
	e.run(t, 2*time.Minute)
	check(t, e.Save(dir))
	b, err := os.ReadFile(filepath.Join(dir, "state"))
	check(t, err)
	return e, b
}

// TestRulesKeepTheirNumbersInTheStateFile: a file that an older version wrote
// must not come to show another rule. New rules have new numbers.
func TestRulesKeepTheirNumbersInTheStateFile(t *testing.T) {
	t.Parallel()
	want := []string{
		"no_commit", "within_allowed_lag", "too_few_samples", "lag_does_not_grow", "topic_left", "lag_grows", "committed_offset_went_back",
		"committed_offset_stands_still", "no_owner", "never_read", "data_too_old", "no_log_end",
	}
	for number, name := range want {
		if got, written, err := collector.StoredRuleForTest(uint64(number)); got != name || written != uint64(number) || err != nil {
			t.Errorf("%d is %s, written as %d, want %s: %v", number, got, written, name, err)
		}
	}
	if name, _, err := collector.StoredRuleForTest(uint64(len(want))); err == nil {
		t.Errorf("%d is %s", len(want), name)
	}
}

func TestADamagedStateFileIsSetAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		_, b := saved(t, dir)
		name := filepath.Join(dir, "state")
		try := func(what string, content []byte) {
			t.Helper()
			check(t, os.WriteFile(name, content, 0o600))
			<-time.After(time.Second) // another name for each
			if s, err := collector.LoadState(dir, true); err == nil || s != nil {
				t.Fatalf("%s: %v, %v", what, s, err)
			}
			if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%s: it is still in the way: %v", what, err)
			}
		}
		for n := range b {
			try(fmt.Sprintf("cut after %d of %d bytes", n, len(b)), b[:n])
		}
		random := rand.New(rand.NewPCG(1, 1))
		for range 300 {
			bad := bytes.Clone(b)
			n := random.IntN(len(bad))
			bad[n] ^= 1 << random.IntN(8)
			try(fmt.Sprintf("a bit flipped in byte %d", n), bad)
		}
		aside, err := filepath.Glob(name + ".damaged-*")
		if err != nil || len(aside) != len(b)+300 {
			t.Errorf("%d files were set aside of %d: %v", len(aside), len(b)+300, err)
		}
		check(t, os.WriteFile(name, b[:40], 0o600))
		if _, err := collector.LoadState(dir, false); err == nil {
			t.Error("no error")
		}
		if _, err := os.Stat(name); err != nil {
			t.Error("a process that does not own the directory moved the file away")
		}
		check(t, os.Remove(name))
		if s, err := collector.LoadState(dir, true); s != nil || err != nil {
			t.Errorf("without a file: %v, %v", s, err)
		}
	})
}

// TestACrashWhileSavingLosesAtMostOneInterval ends saving after every byte,
// under -short after every tenth, and between all of its steps.
func TestACrashWhileSavingLosesAtMostOneInterval(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e, old := saved(t, dir)
		<-time.After(time.Minute)
		var whole bytes.Buffer // what is saved from now on
		check(t, e.WriteStateForTest(&whole))
		every := 10 / short.Of(10)
		crashes := 0
		for budget := 0; ; budget++ {
			if budget > 0 && budget+every < whole.Len() { // within the bytes
				budget += every - 1
			}
			err := e.SaveUntilCrash(dir, budget)
			b, readErr := os.ReadFile(filepath.Join(dir, "state"))
			check(t, readErr)
			if _, loadErr := collector.LoadState(dir, true); loadErr != nil {
				t.Fatalf("after a crash with a budget of %d: %v", budget, loadErr)
			}
			if err == nil {
				break
			}
			if !errors.Is(err, collector.ErrCrash) {
				t.Fatal(err)
			}
			if crashes++; !bytes.Equal(b, old) && budget < whole.Len() {
				t.Fatalf("after %d bytes the old state is gone", budget)
			}
		}
		s, err := collector.LoadState(dir, true)
		if err != nil || time.Since(s.SavedAt) > 0 {
			t.Errorf("in the end: %v, %v", s, err)
		}
		t.Logf("%d crashes", crashes)
		if crashes < whole.Len()/every {
			t.Errorf("only %d crashes for %d bytes", crashes, whole.Len())
		}
	})
}

func FuzzState(f *testing.F) {
	s := defaults("cn-hangzhou")
	s.limits.Share, s.limits.Default = 1, 1000
	e := start(f, s, newCloud(f, sim.Options{World: world("a", "b"), Limits: sim.Limits{Default: -1, PerSourceIP: -1}}))
	ctx, cancel := context.WithCancel(f.Context())
	go func() {
		<-e.Ready()
		cancel()
	}()
	var b bytes.Buffer
	if err := errors.Join(e.Run(ctx), e.Records(&b)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := collector.ReadRecords(bytes.NewReader(b))
		if err != nil {
			return
		}
		again := defaults()
		again.state = s
		e := start(t, again, nil)
		_ = published(t, e, "")
		var written bytes.Buffer
		if err := e.Records(&written); err != nil {
			t.Fatal(err)
		}
		if _, err := collector.ReadRecords(&written); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}
