package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

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
	Regain           int64 // messages
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
	if x.Rewound != nil {
		v.Regain = *x.Rewound
	}
	if x.Rebalances != nil {
		v.RebalanceReasons = x.Rebalances.Last
	}
	for i, t := range x.Topics {
		v.TopicRows = append(v.TopicRows, newGroupTopicRow(t, &x, i))
	}
	v.tiles()
	return v, nil
}

// tiles are the numbers below the verdict.
func (v *groupView) tiles() {
	lag, late := tile{Name: "Lag", Value: optional(v.Lag)}, tile{Name: "Oldest waiting message", Value: optionalSeconds(v.LagSeconds)}
	committed, measured := v.partitions()
	switch {
	case v.Lag != nil:
		lag.Note, late.Note = "messages in "+plural(measured, "partition", "partitions"), methodNote(v.method())
	case v.PolledAt == nil:
		lag.Note = "it was not read yet"
	case committed > 0:
		lag.Note = "no log end is known"
	default:
		lag.Note = "nothing was committed"
	}
	members := tile{Name: "Members", Value: "–", Note: "the service does not tell"}
	if v.Members != nil {
		members.Value, members.Note = page.Count(*v.Members), cmp.Or(strings.ToLower(v.State), "own partitions")
		members.Tone = toneIf(*v.Members == 0 && waits(v.Lag), bad)
	}
	read := tile{Name: "Read", Value: v.Age + " ago", Note: "what is shown is of then"}
	if v.PolledAt == nil {
		read.Value, read.Note = "never", ""
	}
	v.Tiles = []tile{lag, late, v.rates(), members, read}
	if v.Rebalances != nil {
		v.Tiles = append(v.Tiles, tile{Name: "Rebalances", Value: page.Count(v.Rebalances.Total), Note: "since the group is watched"})
	}
}

// rates is what is consumed, and what is produced on the same topics.
func (v *groupView) rates() tile {
	rates := tile{Name: "Consumed", Value: "–", Note: "no two polls to compare yet"}
	consumed, consumes := 0.0, false
	produced, produces := 0.0, true
	for _, t := range v.Topics {
		if t.ConsumedPerSecond == nil {
			continue
		}
		consumed, consumes = consumed+*t.ConsumedPerSecond, true
		if t.ProducedPerSecond == nil {
			produces = false // a part of it would look like the whole
			continue
		}
		produced += *t.ProducedPerSecond
	}
	if consumes {
		rates.Value, rates.Note = page.Number(consumed)+" / s", ""
	}
	if consumes && produces {
		rates.Note = page.Number(produced) + " / s are produced"
	}
	return rates
}

// partitions returns of how many partitions there is a committed offset, and
// of how many of them a lag.
func (v *groupView) partitions() (committed, measured int) {
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			if p.Committed != nil {
				committed++
			}
			if p.Lag != nil {
				measured++
			}
		}
	}
	return committed, measured
}

// method is that of the topic that is furthest behind.
func (v *groupView) method() string {
	method, most := "", -1.0
	for _, t := range v.Topics {
		if t.LagSeconds != nil && *t.LagSeconds > most {
			method, most = t.Method, *t.LagSeconds
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

func newGroupTopicRow(t collector.TopicExplained, x *collector.Explanation, n int) groupTopicRow {
	row := groupTopicRow{
		Topic: t.Topic, ID: fmt.Sprintf("topic-%d", n), Status: newGroupStatus(t.Status.String()), Rule: t.Rule, Lag: optional(t.Lag),
		Seconds: optionalSeconds(t.LagSeconds), Method: methodNote(t.Method), Consumed: perSecond(t.ConsumedPerSecond), Produced: perSecond(t.ProducedPerSecond),
		Margin: optional(t.RetentionMargin), Lost: optional(t.MessagesLost),
	}
	if t.ConsumedPerSecond != nil && t.ProducedPerSecond != nil && waits(t.Lag) {
		if gain := *t.ConsumedPerSecond - *t.ProducedPerSecond; gain > 0 {
			row.Catches = "catches up in about " + page.Duration(seconds(float64(*t.Lag)/gain))
		}
	}
	row.Open = len(t.Partitions) <= openPartitions || row.Status.unwell()
	for _, p := range t.Partitions {
		row.Partitions = append(row.Partitions, newGroupPartitionRow(p, x))
	}
	return row
}

func newGroupPartitionRow(p collector.PartitionExplained, x *collector.Explanation) groupPartitionRow {
	row := groupPartitionRow{
		Partition: p.Partition, Status: newGroupStatus(p.Status.String()), Rule: p.Rule, Committed: optional(p.Committed), Newest: optional(p.Newest),
		Lag: optional(p.Lag), Seconds: optionalSeconds(p.LagSeconds), Method: methodNote(p.Method), Owner: "–",
	}
	if p.StandsStillSince != nil && waits(p.Lag) {
		row.Still = page.Ago(x.At, *p.StandsStillSince) + " ago"
	}
	switch {
	case p.Owner != nil:
		row.Owner, row.OwnerNote = p.Owner.ClientIP, p.Owner.ClientID
	case x.Members != nil: // the service tells who owns what
		row.Owner = "nobody"
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

// waits reports whether there is a lag, and messages in it.
func waits(lag *int64) bool { return lag != nil && *lag > 0 }

func optionalSeconds(s *float64) string {
	if s == nil {
		return "–"
	}
	return page.Duration(seconds(*s))
}

func optional(n *int64) string {
	if n == nil {
		return "–"
	}
	return page.Count(*n)
}
