package sim_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// consumption is what a group has done on one topic.
type consumption struct {
	offsets []int64
	lag     int64
	owners  []string // of partitions, distinct
	ips     []string
}

func (c *client) consumption(group string) (got consumption) {
	c.t.Helper()
	for _, t := range c.progress(stage, group).ConsumerProgress.TopicList.TopicList {
		if t.Topic != "orders" {
			continue
		}
		got.lag = t.TotalDiff
		for _, p := range t.OffsetList.OffsetList {
			got.offsets = append(got.offsets, p.ConsumerOffset)
			if p.MemberId != "" && !slices.Contains(got.owners, p.MemberId) {
				got.owners = append(got.owners, p.MemberId)
				got.ips = append(got.ips, p.ClientIp)
			}
		}
	}
	return got
}

// consumedSince returns how many messages were consumed of each partition; none
// may go back.
func (got consumption) consumedSince(t *testing.T, before consumption) []int64 {
	t.Helper()
	consumed := slices.Clone(got.offsets)
	for p := range before.offsets {
		if consumed[p] -= before.offsets[p]; consumed[p] < 0 {
			t.Errorf("partition %d went back by %d", p, -consumed[p])
		}
	}
	return consumed
}

// Members with a rate consume at most so much of a partition, however many they
// are: more members help up to the number of partitions, and more partitions
// put idle members to work.
func TestMembersHaveALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := unlimited(t, sim.Options{Story: "partition-bound"})
		billing := sim.Ref{Account: "demo", Instance: stage, Group: "billing"}
		orders := sim.Ref{Account: "demo", Instance: stage, Topic: "orders"}
		minute := func(what string, consumed, tolerance int64, owners int) consumption {
			t.Helper()
			before := c.consumption("billing")
			time.Sleep(time.Minute)
			got := c.consumption("billing")
			sum, most := int64(0), int64(0)
			for _, n := range got.consumedSince(t, before) {
				sum, most = sum+n, max(most, n)
			}
			if sum < consumed-tolerance || sum > consumed+tolerance || len(got.owners) != owners {
				t.Errorf("%s: %d messages in a minute by %d members, want %d by %d", what, sum, len(got.owners), consumed, owners)
			}
			if most > 32*62 { // a commit a second
				t.Errorf("%s: %d messages of one partition in a minute", what, most)
			}
			return got
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		first := minute("three of six are idle", 3*32*60, 100, 3)
		if first.lag < 2*24*60-200 || first.lag > 2*24*60+200 {
			t.Errorf("lag %d after two minutes", first.lag)
		}
		do(cloud.SetMembers(billing, 12))
		minute("nine of twelve are idle", 3*32*60, 100, 3)
		do(cloud.SetMembers(billing, 2))
		minute("one has two partitions", 2*32*60, 100, 2)
		do(cloud.SetMembers(billing, 6))
		do(cloud.AddPartitions(orders, 3))
		before := c.consumption("billing").lag
		// The new ones from the start, and three old ones as fast as can be.
		if got := minute("all have one", 120*60/2+3*32*60, 400, 6); got.lag >= before-1500 {
			t.Errorf("lag %d, %d a minute ago", got.lag, before)
		}
		time.Sleep(10 * time.Minute)
		if got := minute("caught up", 120*60, 150, 6); got.lag > 200 {
			t.Errorf("lag %d", got.lag)
		}
		do(cloud.SetMembers(billing, 0))
		minute("nobody, but for the last commit", 0, 120, 0)
	})
}

// A group whose address no entry lets in has no members until one does.
func TestLockedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{Story: "locked-out"})
		before := c.consumption("edge-billing")
		time.Sleep(time.Minute)
		got := c.consumption("edge-billing")
		if len(got.owners) > 0 || got.lag < 2500 || slices.Max(got.consumedSince(t, before)) > 0 {
			t.Errorf("locked out: %+v, before %+v", got, before)
		}
		c.call("UpdateAllowedIp", "InstanceId", stage, "UpdateType", "add", "AllowedListType", "vpc", "PortRange", "9092/9092", "AllowedListIp", "10.20.30.0/24")
		time.Sleep(time.Minute)
		if got := c.consumption("edge-billing"); len(got.owners) != 3 || got.lag > 100 || !slices.Equal(got.ips, []string{"10.20.30.10", "10.20.30.11", "10.20.30.12"}) {
			t.Errorf("let in: %+v", got)
		}
	})
}

// A dead group never comes back.
func TestDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := unlimited(t, sim.Options{Story: "dead"})
		if got := c.consumption("billing"); len(got.owners) != 3 || got.lag > 100 {
			t.Errorf("alive: %+v", got)
		}
		time.Sleep(time.Minute)
		before := c.consumption("billing")
		time.Sleep(30 * 24 * time.Hour)
		got := c.consumption("billing")
		if len(got.owners) > 0 || got.lag < 100_000_000 || slices.Max(got.consumedSince(t, before)) > 0 {
			t.Errorf("dead: %+v, before %+v", got, before)
		}
	})
}

func TestTheDocumentTellsEveryStory(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sim.Stories() {
		if !strings.Contains(string(text), "\n| `"+name+"` | ") {
			t.Errorf("docs/simulator.md says nothing of story %s", name)
		}
	}
}
