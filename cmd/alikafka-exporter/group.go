package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

//go:embed group.html
var groupHTML string

// groupView is the page of a consumer group: its status, the rule behind it,
// and the samples that the rule rests on.
type groupView struct {
	collector.Explanation

	Verdict          groupStatus
	Instance         string // its name
	InstanceHref     string
	ExplainHref      string
	SinceAgo         string // "" where it is not known
	Age              string
	Tiles            []tile
	Charts           []template.HTML
	TopicRows        []groupTopicRow
	ThresholdFacts   []fact
	RebalanceReasons []collector.RebalanceReason
}

// groupTopicRow is a topic of a group with its partitions.
type groupTopicRow struct {
	Topic, ID                   string
	Status                      groupStatus
	Rule                        string
	Lag, Seconds, Method        string
	Consumed, Produced, Catches string
	Margin, Lost                string
	Partitions                  []groupPartitionRow
	Open                        bool
}

// groupPartitionRow is a partition of a group.
type groupPartitionRow struct {
	Partition                             int32
	Status                                groupStatus
	Rule, Committed, Newest, Lag, Seconds string
	Method, Still                         string
	Owner, OwnerNote                      string
	Samples                               template.HTML
	SamplesText                           string
}

// group returns what there is to say about the group that the request names.
func (a *app) group(r *http.Request) (any, *pageError) {
	q := r.URL.Query()
	id, name := q.Get("instance_id"), q.Get("consumer_group")
	l := a.current.Load()
	x, ok := l.collector.Explain(id, name)
	switch {
	case ok:
	case id == "" || !l.collector.HasInstance(id):
		return nil, unknownInstance(id)
	case name == "":
		return nil, &pageError{http.StatusBadRequest, "No consumer group is named", "The parameter consumer_group is missing."}
	default:
		return nil, &pageError{http.StatusNotFound, "Not known", "Instance " + id + " has no consumer group " + name + " that is watched. It may be filtered out, deleted, or not listed yet."}
	}
	v := groupView{
		Explanation: x, Verdict: newGroupStatus(x.Status.String()), Instance: cmp.Or(l.instanceNames()[id], id), InstanceHref: instanceHref(id),
		ExplainHref: "api/v1/explain?" + url.Values{"instance_id": {id}, "consumer_group": {name}}.Encode(),
		Age:         "–", Charts: groupCharts(x.Samples), ThresholdFacts: thresholdFacts(x.Thresholds),
	}
	if x.Since != nil {
		v.SinceAgo = page.Ago(x.At, *x.Since)
	}
	if x.PolledAt != nil {
		v.Age = page.Ago(x.At, *x.PolledAt)
	}
	if x.Rebalances != nil {
		v.RebalanceReasons = x.Rebalances.Last
	}
	for i, t := range x.Topics {
		v.TopicRows = append(v.TopicRows, newGroupTopicRow(t, x.At, i))
	}
	v.tiles()
	return v, nil
}

// tiles are the numbers below the verdict.
func (v *groupView) tiles() {
	lag, late := tile{Name: "Lag", Value: "–", Note: "nothing was committed"}, tile{Name: "Oldest waiting message", Value: "–"}
	if n := len(v.Samples); n > 0 {
		lag.Value, lag.Note = page.Count(v.Lag), "messages in "+plural(v.Samples[n-1].Partitions, "partition", "partitions")
		late.Value, late.Note = page.Duration(seconds(v.LagSeconds)), methodNote(v.method())
	}
	members := tile{Name: "Members", Value: "–", Note: "the service does not tell"}
	if v.Members != nil {
		members.Value, members.Note = page.Count(*v.Members), cmp.Or(strings.ToLower(v.State), "own partitions")
		members.Tone = toneIf(*v.Members == 0 && v.Lag > 0, bad)
	}
	rates := tile{Name: "Consumed", Value: "–", Note: "no two polls to compare yet"}
	consumed, consumes := 0.0, false
	produced, produces := 0.0, false
	for _, t := range v.Topics {
		if t.ConsumedPerSecond != nil {
			consumed, consumes = consumed+*t.ConsumedPerSecond, true
		}
		if t.ProducedPerSecond != nil {
			produced, produces = produced+*t.ProducedPerSecond, true
		}
	}
	if consumes {
		rates.Value, rates.Note = page.Number(consumed)+" / s", ""
	}
	if consumes && produces {
		rates.Note = page.Number(produced) + " / s are produced"
	}
	read := tile{Name: "Read", Value: v.Age + " ago", Note: "what is shown is of then"}
	if v.PolledAt == nil {
		read.Value, read.Note = "never", ""
	}
	v.Tiles = []tile{lag, late, rates, members, read}
	if v.Rebalances != nil {
		v.Tiles = append(v.Tiles, tile{Name: "Rebalances", Value: page.Count(v.Rebalances.Total), Note: "since the group is watched"})
	}
}

// method is that of the topic that is furthest behind.
func (v *groupView) method() string {
	method, most := "", -1.0
	for _, t := range v.Topics {
		if t.LagSeconds > most {
			method, most = t.Method, t.LagSeconds
		}
	}
	return method
}

// methodNote says how seconds of lag came about.
func methodNote(method string) string {
	switch method {
	case "history":
		return "from our samples of the log end"
	case "at_most":
		return "at most: an upper bound"
	case "at_least":
		return "at least: a lower bound"
	}
	return ""
}

// groupCharts draws the samples; none where there are too few.
func groupCharts(samples []collector.GroupSample) []template.HTML {
	if len(samples) < 2 {
		return nil
	}
	draw := func(c page.Chart, values func(collector.GroupSample) []float64) template.HTML {
		for _, s := range samples {
			c.Points = append(c.Points, page.Point{At: s.At, Values: values(s)})
		}
		return c.HTML()
	}
	return []template.HTML{
		draw(page.Chart{Title: "Lag, messages", Series: []string{"lag"}, Format: page.Number}, func(s collector.GroupSample) []float64 { return []float64{float64(s.Lag)} }),
		draw(page.Chart{Title: "Lag, time", Series: []string{"lag"}, Format: func(v float64) string { return page.Duration(seconds(v)) }}, func(s collector.GroupSample) []float64 { return []float64{s.LagSeconds} }),
		draw(page.Chart{Title: "Offsets, all partitions", Series: []string{"committed", "newest"}, Floating: true, Format: func(v float64) string { return page.Count(int64(v)) }},
			func(s collector.GroupSample) []float64 { return []float64{float64(s.Committed), float64(s.Newest)} }),
	}
}

func thresholdFacts(t collector.Thresholds) []fact {
	d := func(s float64) string { return page.Duration(seconds(s)) }
	return []fact{
		{Name: "allowed_lag", Value: page.Count(t.AllowedLag) + " messages"},
		{Name: "allowed_lag_seconds", Value: d(t.AllowedLagSeconds)},
		{Name: "stopped_after", Value: d(t.StoppedAfterSeconds)},
		{Name: "window", Value: d(t.WindowSeconds)},
		{Name: "abandoned_after", Value: d(t.AbandonedAfterSeconds)},
		{Name: "ttl", Value: d(t.TTLSeconds)},
	}
}

// openPartitions is up to how many partitions a topic is shown with them.
const openPartitions = 24

func newGroupTopicRow(t collector.TopicExplained, now time.Time, n int) groupTopicRow {
	row := groupTopicRow{
		Topic: t.Topic, ID: fmt.Sprintf("topic-%d", n), Status: newGroupStatus(t.Status.String()), Rule: t.Rule, Lag: page.Count(t.Lag),
		Seconds: page.Duration(seconds(t.LagSeconds)), Method: methodNote(t.Method), Consumed: perSecond(t.ConsumedPerSecond), Produced: perSecond(t.ProducedPerSecond),
		Margin: optional(t.RetentionMargin), Lost: optional(t.MessagesLost),
	}
	if t.ConsumedPerSecond != nil && t.ProducedPerSecond != nil && t.Lag > 0 {
		if gain := *t.ConsumedPerSecond - *t.ProducedPerSecond; gain > 0 {
			row.Catches = "catches up in about " + page.Duration(seconds(float64(t.Lag)/gain))
		}
	}
	row.Open = len(t.Partitions) <= openPartitions || row.Status.unwell()
	for _, p := range t.Partitions {
		row.Partitions = append(row.Partitions, newGroupPartitionRow(p, now))
	}
	return row
}

func newGroupPartitionRow(p collector.PartitionExplained, now time.Time) groupPartitionRow {
	row := groupPartitionRow{
		Partition: p.Partition, Status: newGroupStatus(p.Status.String()), Rule: p.Rule, Committed: optional(p.Committed), Newest: optional(p.Newest),
		Lag: "–", Seconds: "–", Method: methodNote(p.Method), Owner: "nobody",
	}
	if p.Committed != nil && p.Newest != nil {
		row.Lag, row.Seconds = page.Count(p.Lag), page.Duration(seconds(p.LagSeconds))
	}
	if p.StandsStillSince != nil && p.Lag > 0 {
		row.Still = page.Ago(now, *p.StandsStillSince) + " ago"
	}
	if p.Owner != nil {
		row.Owner, row.OwnerNote = p.Owner.ClientIP, p.Owner.ClientID
	}
	values := make([]float64, len(p.LagSamples))
	texts := make([]string, len(p.LagSamples))
	for i, v := range p.LagSamples {
		values[i], texts[i] = float64(v), page.Number(float64(v))
	}
	row.Samples, row.SamplesText = page.Spark(values), strings.Join(texts, ", ")
	return row
}

func perSecond(v *float64) string {
	if v == nil {
		return "–"
	}
	return page.Number(*v) + " / s"
}

func optional(n *int64) string {
	if n == nil {
		return "–"
	}
	return page.Count(*n)
}
