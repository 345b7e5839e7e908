package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

func TestTheHeadlineIsTheWorstOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	up, down := regionRow{ID: "cn-hangzhou", Tone: good}, regionRow{ID: "cn-shanghai", Tone: bad}
	is := func(statuses ...string) (rows []groupRow) {
		for _, s := range statuses {
			rows = append(rows, groupRow{Status: newGroupStatus(s)})
		}
		return rows
	}
	failing := sourceRow{Tone: bad}
	for name, c := range map[string]struct {
		landing landing
		groups  []groupRow
		tone    tone
		text    string
	}{
		"all is well":                     {landing{Ready: true, Regions: []regionRow{up}}, is("ok", "abandoned"), good, "Every consumer group is well"},
		"a region is down, whatever else": {landing{Ready: true, Regions: []regionRow{up, down}}, is("stopped"), bad, "1 region cannot be read"},
		"a group has stopped":             {landing{Ready: true, Regions: []regionRow{up}}, is("stopped", "warning", "ok"), bad, "2 of 3 consumer groups need attention"},
		"lag grows":                       {landing{Ready: true, Regions: []regionRow{up}}, is("warning", "ok"), warn, "1 of 2 consumer groups need attention"},
		"an instance is out, and its groups as they were": {
			landing{Ready: true, Regions: []regionRow{up}, Instances: []instanceRow{{Status: "in_service", Tone: good}, {Name: "orders", Status: "expired", Tone: bad}}},
			is("ok"), bad, "1 of 2 instances out of service",
		},
		"a source fails":              {landing{Ready: true, Regions: []regionRow{up}, Sources: []sourceRow{failing}}, is("ok"), warn, "1 source failed at the last read"},
		"nothing is known of a group": {landing{Ready: true, Regions: []regionRow{up}}, is("unknown", "ok"), calm, "How 1 of 2 consumer groups are doing is not known"},
		"it has just started":         {landing{Regions: []regionRow{up}}, is("unknown"), calm, "Not every source was read yet"},
		"nothing is there":            {landing{Ready: true}, nil, calm, "No consumer group is watched"},
	} {
		v := c.landing
		v.judge(c.groups)
		if v.Headline.Tone != c.tone || v.Headline.Text != c.text {
			t.Errorf("%s: %s %q, want %s %q", name, v.Headline.Tone, v.Headline.Text, c.tone, c.text)
		}
	}
}

func TestInstancesThatExpireSoonServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statuses []string
		value    string
		tone     tone
	}{
		"all serve":                 {[]string{"in_service", "expiring"}, "2 of 2", ""},
		"one is upgraded":           {[]string{"in_service", "upgrading"}, "1 of 2", warn},
		"one is out, one upgraded":  {[]string{"expired", "upgrading"}, "0 of 2", bad},
		"one is upgraded, one out":  {[]string{"upgrading", "expired"}, "0 of 2", bad},
		"nothing is known of one":   {[]string{"in_service", "unknown"}, "1 of 2", calm},
		"there is none to speak of": {nil, "0 of 0", ""},
	} {
		var v landing
		for _, s := range c.statuses {
			v.Instances = append(v.Instances, instanceRow{Status: s, Tone: instanceTone(s)})
		}
		if got := v.serviceTile(); got.Value != c.value || got.Tone != c.tone {
			t.Errorf("%s: %s in %q, want %s in %q", name, got.Value, got.Tone, c.value, c.tone)
		}
	}
}

func TestTheAgeOfLagIsThatOfTheOldestSource(t *testing.T) {
	t.Parallel()
	now := time.Now()
	row := func(age time.Duration) sourceRow {
		return newSourceRow(collector.SourceState{Source: "consumer_group_progress", Objects: 1, Oldest: now.Add(-age), LastSuccess: now}, collector.DefaultConfig(), now)
	}
	for _, sources := range [][]sourceRow{{row(2 * time.Second), row(10 * time.Minute)}, {row(10 * time.Minute), row(2 * time.Second)}} {
		v := landing{Sources: sources}
		if got := v.ageTile(); got.Value != "10 m ago" {
			t.Errorf("%s, and the oldest is 10 minutes", got.Value)
		}
	}
}

func TestEveryStatusHasItsPlaceInTheOrder(t *testing.T) {
	t.Parallel()
	order := statusOrder()
	for i, name := range order {
		s := newGroupStatus(name)
		if s.Name != name {
			t.Errorf("%s is shown as %s", name, s.Name)
		}
		if i > 0 && rank(newGroupStatus(order[i-1]).Tone) > rank(s.Tone) {
			t.Errorf("%s comes after %s, which is better", name, order[i-1])
		}
	}
	if newGroupStatus("").Name != "unknown" || !newGroupStatus("rewound").unwell() || newGroupStatus("abandoned").unwell() {
		t.Error("statuses do not mean what they say")
	}
}

func TestASearchIsKeptByTheLinksOfStatuses(t *testing.T) {
	t.Parallel()
	v := groupList{Search: "a&b", InstanceID: "i"}
	if got := v.href("ok"); got != "consumer-groups?instance_id=i&search=a%26b&status=ok" {
		t.Error(got)
	}
	if got := (groupList{}).href(""); got != "consumer-groups" {
		t.Error(got)
	}
	if e := unknownInstance(""); e.Status != http.StatusBadRequest || !strings.Contains(e.Detail, "instance_id") {
		t.Errorf("%+v", e)
	}
}

func TestWhatIsNotKnownIsNotShownAsAnything(t *testing.T) {
	t.Parallel()
	if row := newSourceRow(collector.SourceState{Source: "topics"}, collector.DefaultConfig(), time.Now()); row.Late || row.Age != "–" {
		t.Errorf("a source that was not read yet is late: %+v", row)
	}
	rate := 3.0
	v := groupView{Explanation: collector.Explanation{Topics: []collector.TopicExplained{{ConsumedPerSecond: &rate}}}}
	v.tiles()
	i := slices.IndexFunc(v.Tiles, func(t tile) bool { return t.Name == "Consumed" })
	if got := v.Tiles[i]; got.Value != "3 / s" || got.Note != "" {
		t.Errorf("what is produced is not known, and yet: %+v", got)
	}
	v.Topics[0].ProducedPerSecond = &rate
	v.tiles()
	if got := v.Tiles[i]; got.Note != "3 / s are produced" {
		t.Errorf("what is produced is known, and yet: %+v", got)
	}
}

func TestWhatIsNotKnownOfAGroupIsADash(t *testing.T) {
	t.Parallel()
	offset, lag, none, members := int64(7), int64(3), 0.0, 0
	partition := collector.PartitionExplained{Committed: &offset}
	read := time.Now()
	for name, c := range map[string]struct {
		x           collector.Explanation
		value, note string
	}{
		"it was never read":     {collector.Explanation{}, "–", "it was not read yet"},
		"nothing was committed": {collector.Explanation{PolledAt: &read, Topics: []collector.TopicExplained{{Partitions: make([]collector.PartitionExplained, 1)}}}, "–", "nothing was committed"},
		"no log end is known, but was before": {
			collector.Explanation{PolledAt: &read, Topics: []collector.TopicExplained{{Partitions: []collector.PartitionExplained{partition}}}, Samples: make([]collector.GroupSample, 1)},
			"–", "no log end is known",
		},
		"there is a lag, of before a restart": {
			collector.Explanation{PolledAt: &read, Lag: &lag, LagSeconds: &none, Topics: []collector.TopicExplained{{Lag: &lag, LagSeconds: &none, Partitions: []collector.PartitionExplained{partition, {Committed: &offset, Newest: &offset, Lag: &lag, LagSeconds: &none}}}}},
			"3", "messages in 1 partition",
		},
	} {
		v := groupView{Explanation: c.x}
		v.tiles()
		if got := v.Tiles[0]; got.Value != c.value || got.Note != c.note || (v.Tiles[1].Value == "–") != (c.value == "–") {
			t.Errorf("%s: %+v, %+v; want %s, %s", name, got, v.Tiles[1], c.value, c.note)
		}
		for i, topic := range c.x.Topics {
			if row := newGroupTopicRow(topic, &c.x, i); row.Lag != c.value || row.Partitions[0].Lag != "–" || row.Partitions[0].Seconds != "–" || row.Partitions[0].Owner != "–" {
				t.Errorf("%s: %+v", name, row)
			}
		}
	}
	if row := newGroupPartitionRow(partition, &collector.Explanation{Members: &members}); row.Owner != "nobody" {
		t.Errorf("the service tells of no owner, and yet: %s", row.Owner)
	}
}

func TestWhatIsProducedOnAPartOfTheTopicsIsNotShownAsAll(t *testing.T) {
	t.Parallel()
	rate := 3.0
	v := groupView{Explanation: collector.Explanation{Topics: []collector.TopicExplained{{ConsumedPerSecond: &rate, ProducedPerSecond: &rate}, {ConsumedPerSecond: &rate}, {ProducedPerSecond: &rate}}}}
	if got := v.rates(); got.Value != "6 / s" || got.Note != "" {
		t.Errorf("%+v", got)
	}
}
