package collector_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// detailWorld is an instance on which one partition of many lags.
func detailWorld() *sim.World {
	in := sim.Instance{ID: "alikafka_pre-cn-1", Name: "shop-test", RegionID: "cn-hangzhou"}
	for n := range 5 {
		in.Topics = append(in.Topics, sim.Topic{Name: fmt.Sprintf("topic-%d", n), Partitions: 8, Rate: 40, Shape: sim.Wave, Period: 3 * time.Minute})
	}
	for n := range 6 {
		g := sim.Group{Name: fmt.Sprintf("group-%d", n), Members: 1}
		for topic := range 2 {
			g.Subscriptions = append(g.Subscriptions, sim.Subscription{Topic: fmt.Sprintf("topic-%d", (n+topic)%5), Delay: 2 * time.Second})
		}
		in.Groups = append(in.Groups, g)
	}
	in.Groups[3].Scene = sim.Scene{Period: 2 * time.Hour, Partitions: []int{6}, Knots: []sim.Knot{{}, {At: 2 * time.Hour, Behind: 2 * time.Hour}}}
	return &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{in}}}}
}

func rule(t *testing.T, instances, topics, groups string, level collector.Level) collector.GranularityRule {
	t.Helper()
	var r [3]collector.Regexp
	for i, expr := range []string{instances, topics, groups} {
		var err error
		if r[i], err = collector.NewRegexp(expr); err != nil {
			t.Fatal(err)
		}
	}
	return collector.GranularityRule{Instances: r[0], Topics: r[1], ConsumerGroups: r[2], Level: level}
}

// series returns the lines of samples whose names begin with prefix and whose
// labels have all pairs, such as topic="orders".
func series(page, prefix string, pairs ...string) []string {
	var found []string
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, prefix) && !slices.ContainsFunc(pairs, func(p string) bool { return !strings.Contains(line, p) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

const (
	topicPartitions = "alikafka_topic_partition_"
	groupPartitions = "alikafka_consumer_group_partition_"
	groupTopics     = "alikafka_consumer_group_topic_"
)

func TestTheFirstRuleSaysHowFinelyThingsAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: detailWorld()})
		plain := start(t, defaults("cn-hangzhou"), cloud)
		plain.run(t, time.Minute)
		all := published(t, plain, "")
		s := defaults("cn-hangzhou")
		s.config.Granularity = []collector.GranularityRule{
			rule(t, "another", "", "", collector.LevelGroup), // by neither id nor name
			rule(t, "shop-.*", "topic-0", "", collector.LevelPartition),
			rule(t, "", "topic-[01]", "", collector.LevelTopic),
			rule(t, "alikafka_pre-cn-1", "", "group-2", collector.LevelGroup),
		}
		e := start(t, s, cloud)
		e.run(t, time.Minute)
		got := published(t, e, "")
		for _, c := range []struct {
			name, prefix string
			labels       []string
			shown        bool
		}{
			{"what the first rule keeps", topicPartitions, []string{`topic="topic-0"`}, true},
			{"what the first rule keeps, of a group", groupPartitions, []string{`topic="topic-0"`, `consumer_group="group-0"`}, true},
			{"a topic at topic level", topicPartitions, []string{`topic="topic-1"`}, false},
			{"a group on a topic at topic level", groupPartitions, []string{`topic="topic-1"`}, false},
			{"the same by topic", groupTopics, []string{`topic="topic-1"`}, true},
			{"a topic of which a rule for groups says nothing", topicPartitions, []string{`topic="topic-2"`}, true},
			{"a group at group level, by topic", groupTopics, []string{`consumer_group="group-2"`}, false},
			{"a group at group level, by partition", groupPartitions, []string{`consumer_group="group-2"`}, false},
			{"a group at group level", "alikafka_consumer_group_lag_messages", []string{`consumer_group="group-2"`}, true},
			{"what no rule matches", groupPartitions, []string{`consumer_group="group-3"`}, true},
		} {
			want := len(series(all, c.prefix, c.labels...))
			if want == 0 {
				t.Fatalf("%s: nothing is there without rules", c.name)
			}
			if n := len(series(got, c.prefix, c.labels...)); c.shown && n != want || !c.shown && n != 0 {
				t.Errorf("%s: %d series, %d without rules", c.name, n, want)
			}
		}
		hidden := strings.Count(all, "\nalikafka_") - strings.Count(got, "\nalikafka_") + 1 // the count itself
		if n := len(series(got, fmt.Sprintf(`alikafka_series_suppressed{account="main",region_id="cn-hangzhou",instance_id="alikafka_pre-cn-1",reason="granularity"} %d`, hidden))); n != 1 {
			t.Errorf("%d series are not shown, but it says %v", hidden, series(got, "alikafka_series_suppressed"))
		}
		if got := kafkaExporterPage(t, e, "alikafka_pre-cn-1"); strings.Contains(got, `kafka_consumergroup_lag{consumergroup="group-0",topic="topic-1"`) || !strings.Contains(got, `kafka_consumergroup_lag_sum{consumergroup="group-0",topic="topic-1"`) {
			t.Errorf("the page for kafka_exporter's users is of another granularity:\n%s", got)
		}
	})
}

func TestTheBudgetKeepsWhatLagsAndStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{World: detailWorld()})
		s := defaults("cn-hangzhou")
		s.config.SeriesBudget = 300
		e := start(t, s, cloud)
		defer background(t, e)()
		<-e.Ready()
		<-time.After(short.Of(20 * time.Minute))
		kept := map[string]bool{}
		changes, before := 0, ""
		minutes := short.Of(60)
		for minute := range minutes {
			<-time.After(time.Minute)
			synctest.Wait()
			compare(t, fmt.Sprintf("minute %d", minute), e, "")
			page := published(t, e, "alikafka_pre-cn-1")
			n := strings.Count(page, "\nalikafka_")
			if n > 300 || n < 300*30/32 {
				t.Errorf("%d series of a budget of 300", n)
			}
			if got := series(page, "alikafka_series_suppressed", `reason="budget"`); len(got) != 1 || strings.HasSuffix(got[0], " 0") {
				t.Errorf("it says %v", got)
			}
			if len(series(page, "alikafka_consumer_group_partition_lag_messages", `consumer_group="group-3"`, `partition="6"`)) != 2 {
				t.Error("the partitions that lag are not shown")
			}
			if n := len(series(page, "alikafka_consumer_group_topic_lag_messages")); n != 12 {
				t.Errorf("%d of 12 pairs of group and topic are shown by topic", n)
			}
			names := byPartition(page)
			for name := range strings.Lines(names) {
				kept[name] = true
			}
			if before != "" && names != before {
				changes++
			}
			before = names
		}
		shown := strings.Count(before, "\n")
		t.Logf("%d series by partition, %d different ones in %d minutes, %d of which had a change", shown, len(kept), minutes, changes)
		// When polls come is drawn, so now and then some partitions change places.
		// A choice that forgets the one before changes every minute, and shows 250.
		if most := max(2, minutes/4); changes > most || len(kept) > 2*shown {
			t.Errorf("series come and go: %d by partition, %d over %d minutes, %d changes", shown, len(kept), minutes, changes)
		}
		s.previous, s.metrics = e.Collector, e.metrics
		// A reload chooses anew, which may let a partition or two take the place
		// of others.
		after, gone := byPartition(published(t, start(t, s, cloud), "alikafka_pre-cn-1")), 0
		for name := range strings.Lines(before) {
			if !strings.Contains(after, name) {
				gone++
			}
		}
		t.Logf("right after a reload %d of %d series are gone", gone, shown)
		if gone > 8 {
			t.Errorf("right after a reload %d of %d series are gone", gone, shown)
		}
	})
}

// byPartition returns the series by partition of a page, without their values.
func byPartition(page string) string {
	var names strings.Builder
	for _, line := range append(series(page, groupPartitions), series(page, topicPartitions)...) {
		name, _, _ := strings.Cut(line, "} ")
		names.WriteString(name + "\n")
	}
	return names.String()
}
