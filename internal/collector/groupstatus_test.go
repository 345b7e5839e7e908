package collector_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// step is a line of testdata/timelines.txt: some polls, so far apart, between
// which offsets move. Several numbers take turns.
var step = regexp.MustCompile(`^(\d+) polls? (\S+) apart: committed (\S+), newest (\S+), (owned|unowned|left|rebalancing|untold)\s*=>\s*(.*)$`)

// timeline is a group on one partition that is polled.
type timeline struct {
	*collector.Watch
	now               time.Time
	committed, newest int64
	before            collector.GroupStatus
	seen              map[[2]collector.GroupStatus]bool // transitions
}

// play runs a step and returns what came of it: the statuses, with how often
// each was given in a row, and the lag in the end.
func (l *timeline) play(t *testing.T, m []string) string {
	t.Helper()
	n, err := strconv.Atoi(m[1])
	apart, err2 := model.ParseDuration(m[2])
	if err != nil || err2 != nil {
		t.Fatal(m[0], err, err2)
	}
	var runs []string
	last, count := "", 0
	var g *collector.GroupProgress
	for i := range n {
		l.now = l.now.Add(time.Duration(apart))
		l.committed += turn(t, m[3], i)
		l.newest += turn(t, m[4], i)
		g = l.Poll(answer(l.committed, l.newest, m[5]), api.Times{Sent: l.now, Answered: l.now})
		if g.Status != l.before && l.before != collector.StatusUnknown {
			l.seen[[2]collector.GroupStatus{l.before, g.Status}] = true
		}
		l.before = g.Status
		if now := fmt.Sprintf("%s (%s)", g.Status, collector.RuleName(g)); now != last {
			if count > 0 {
				runs = append(runs, fmt.Sprintf("%d %s", count, last))
			}
			last, count = now, 0
		}
		count++
	}
	i := slices.IndexFunc(g.Topics, func(t collector.GroupTopic) bool { return t.Topic == "orders" })
	p := g.Topics[i].Partitions[0]
	return strings.Join(append(runs, fmt.Sprintf("%d %s", count, last)), ", ") + fmt.Sprintf("; lag %d, %v s", p.Lag(), p.Seconds)
}

// turn returns the i-th of some numbers that take turns.
func turn(t *testing.T, numbers string, i int) int64 {
	t.Helper()
	list := strings.Split(numbers, "/")
	n, err := strconv.ParseInt(list[i%len(list)], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// answer is one of GetConsumerProgress without timestamps.
func answer(committed, newest int64, who string) api.ConsumerProgress {
	o := api.ConsumerOffsets{ConsumerOffset: committed, BrokerOffset: newest, LastTimestamp: -1}
	r := progress(o)
	state := map[string]string{"owned": "STABLE", "unowned": "EMPTY", "left": "STABLE", "rebalancing": "PREPARING_REBALANCE"}[who]
	if who != "untold" {
		r.Progress.State = &state
	}
	switch who {
	case "owned":
		r.Progress.Topics[0].Offsets[0].MemberID = "member-1"
	case "left":
		r.Progress.Topics = append(r.Progress.Topics, api.TopicProgress{Topic: "another", Offsets: []api.ConsumerOffsets{{MemberID: "member-1"}}})
	}
	return r
}

// TestStatusTimelines plays testdata/timelines.txt and compares each step's
// outcome with what the file says; -update rewrites it. Together the timelines
// hold every transition between statuses that polls can bring about.
func TestStatusTimelines(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/timelines.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[2]collector.GroupStatus]bool{}
	var l *timeline
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch m := step.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "== "):
			l = &timeline{Watch: collector.NewWatch(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), committed: 100_000, newest: 100_000, seen: seen}
			fmt.Fprintln(&b, line)
		case m != nil:
			head, _, _ := strings.Cut(line, "=>")
			fmt.Fprintf(&b, "%s=> %s\n", head, l.play(t, m))
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&b, line)
		default:
			t.Fatalf("not a step: %s", line)
		}
	}
	golden.File(t, "testdata/timelines.txt", b.String())
	for from := collector.StatusOK; from <= collector.StatusStopped; from++ {
		for to := collector.StatusOK; to <= collector.StatusStopped; to++ {
			if from != to && !seen[[2]collector.GroupStatus{from, to}] {
				t.Errorf("no timeline goes from %s to %s", from, to)
			}
		}
	}
}

func TestStatusIsUnknownUntilItIsReadAndWhenDataAreTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: world("a")})
		remove := cloud.SetFault(sim.Match{Action: "GetConsumerProgress"}, sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"})
		e := start(t, defaults("cn-hangzhou"), cloud)
		defer background(t, e)()
		expect := func(when, want string) {
			t.Helper()
			synctest.Wait()
			f := gather(t, e.Families(""))
			for _, status := range []string{"unknown", "ok", "abandoned", "warning", "rewound", "stalled", "stopped"} {
				v, ok := value(f, "alikafka_consumer_group_status", "consumer_group", "group-of-a", "status", status)
				if !ok || (v == 1) != (status == want) {
					t.Errorf("%s: %s is %v (there: %t), want %s", when, status, v, ok, want)
				}
			}
			compare(t, when, e, "")
		}
		<-time.After(time.Minute)
		expect("never read", "unknown")
		remove()
		<-time.After(10 * time.Minute)
		expect("read", "ok")
		cloud.SetFault(sim.Match{Action: "GetConsumerProgress"}, sim.Fault{Kind: sim.Refuse, Code: "ONS_SYSTEM_ERROR"})
		<-time.After(10 * time.Minute)
		expect("not read for ten minutes", "ok")
		<-time.After(22 * time.Minute)
		expect("not read for longer than the TTL", "unknown")
	})
}
