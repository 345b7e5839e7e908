package main

import (
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

//go:embed instance.html
var instanceHTML string

// instanceRow is an instance in a list.
type instanceRow struct {
	Status                            string
	Tone                              tone
	Name, ID, RegionID, Account, Href string
	Usage                             []usage // topics, partitions, consumer groups
	Unwell                            int     // groups
	Ends                              string  // of a subscription: in how long
	EndsSoon                          bool
}

// usage is how much of a limit is used.
type usage struct {
	Name, Text string
	Meter      template.HTML
}

// endsSoon is from when on the end of a subscription is shown as a warning.
const endsSoon = 30 * 24 * time.Hour

// instanceRows returns the instances, those that are not in service first.
func (l *life) instanceRows(groups []groupRow) []instanceRow {
	names, unwell := l.instanceNames(), map[string]int{}
	for _, g := range groups {
		if g.Status.unwell() {
			unwell[g.InstanceID]++
		}
	}
	var rows []instanceRow
	for _, s := range l.collector.Instances() {
		row := newInstanceRow(s, cmp.Or(names[s.InstanceID], s.InstanceID))
		row.Unwell = unwell[s.InstanceID]
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(x, y instanceRow) int {
		return cmp.Or(cmp.Compare(rank(x.Tone), rank(y.Tone)), cmp.Compare(y.Unwell, x.Unwell), cmp.Compare(x.Name, y.Name))
	})
	return rows
}

// rank sorts by tone, the worst first.
func rank(t tone) int { return slices.Index([]tone{bad, warn, calm, good}, t) }

func newInstanceRow(s collector.Subject, name string) instanceRow {
	row := instanceRow{
		Status: cmp.Or(s.Status, "unknown"), Tone: instanceTone(s.Status), Name: name, ID: s.InstanceID, RegionID: s.RegionID, Account: s.Account,
		Href: instanceHref(s.InstanceID), Ends: "–",
	}
	for _, of := range []struct{ name, family string }{{"Topics", "alikafka_instance_topics"}, {"Partitions", "alikafka_instance_partitions"}, {"Consumer groups", "alikafka_instance_consumer_groups"}} {
		u := usage{Name: of.name, Text: "–"}
		if used, ok := s.Values[of.family]; ok {
			u.Text = page.Count(int64(used))
			if limit, ok := s.Values[of.family+"_limit"]; ok {
				u.Text += " of " + page.Count(int64(limit))
				u.Meter = page.Meter(used, limit)
			}
		}
		row.Usage = append(row.Usage, u)
	}
	if ends := s.Time("alikafka_instance_expiry_timestamp_seconds"); !ends.IsZero() {
		row.Ends, row.EndsSoon = page.Duration(time.Until(ends)), time.Until(ends) < endsSoon
	}
	return row
}

func instanceTone(status string) tone {
	switch status {
	case "in_service":
		return good
	case "stopped", "expired", "released", "failed", "releasing", "stopping":
		return bad
	case "", "unknown":
		return calm
	}
	return warn
}

// instanceView is the page of an instance.
type instanceView struct {
	Now      time.Time
	Instance instanceRow
	Facts    []fact
	Groups   []groupRow
	Topics   []topicRow
	TopicsOf int // there are
	Metrics  string
}

// fact is something known about what a page is about.
type fact struct {
	Name, Value string
	Age         string // of the answer that tells; "" where it goes without saying
}

type topicRow struct {
	Name, Messages, Produced, LastMessage, Read string
	Partitions                                  int64
	Groups                                      int
	last                                        time.Time
	produced                                    float64
}

// mostTopics is how many topics the page of an instance shows.
const mostTopics = 200

// instance returns what is known of the instance that the request names.
func (a *app) instance(r *http.Request) (any, *pageError) {
	id := r.URL.Query().Get("instance_id")
	l := a.current.Load()
	snapshot := l.collector.Snapshot()
	at := slices.IndexFunc(snapshot.Instances, func(i *collector.Instance) bool { return i.ID == id })
	if at < 0 {
		return nil, unknownInstance(id)
	}
	i := snapshot.Instances[at]
	v := instanceView{Now: snapshot.At, Groups: l.groupRows(id), Metrics: a.metricsLink() + "/instance?instance_id=" + id}
	v.Instance = instanceRow{Status: "unknown", Tone: calm, Name: cmp.Or(i.Info.Data.Name, id), ID: id, RegionID: i.RegionID, Account: i.Account}
	subjects := l.collector.Instances()
	if n := slices.IndexFunc(subjects, func(s collector.Subject) bool { return s.InstanceID == id }); n >= 0 {
		v.Instance = newInstanceRow(subjects[n], v.Instance.Name)
		v.Facts = instanceFacts(subjects[n], i, snapshot.At)
	}
	for _, g := range v.Groups {
		if g.Status.unwell() {
			v.Instance.Unwell++
		}
	}
	v.Topics = topicRows(i, snapshot.At)
	v.TopicsOf = len(v.Topics)
	v.Topics = v.Topics[:min(len(v.Topics), mostTopics)]
	return v, nil
}

// instanceFacts tells what one asks first about an instance.
func instanceFacts(s collector.Subject, i *collector.Instance, now time.Time) []fact {
	d := i.Info.Data
	facts := []fact{
		{Name: "Instance", Value: i.ID, Age: page.Ago(now, i.Info.At)},
		{Name: "Region, zone", Value: i.RegionID + ", " + cmp.Or(d.ZoneID, "–")},
		{Name: "Account", Value: i.Account},
		{Name: "Version", Value: cmp.Or(d.Upgrade.Version, "–")},
		{Name: "Edition", Value: cmp.Or(d.SpecType, "–")},
	}
	for _, of := range []struct {
		name, family string
		write        func(float64) string
	}{
		{"Traffic limit", "alikafka_instance_traffic_limit_bytes_per_second", func(v float64) string { return page.Bytes(v) + " / s, read and write each" }},
		{"Disk", "alikafka_instance_disk_size_bytes", page.Bytes},
		{"Retention", "alikafka_instance_message_retention_seconds", func(v float64) string { return page.Duration(seconds(v)) }},
		{"Largest message", "alikafka_instance_message_max_bytes", page.Bytes},
		{"Created", "alikafka_instance_created_timestamp_seconds", func(v float64) string { return time.UnixMilli(int64(v * 1000)).UTC().Format(time.DateOnly) }},
		{"Subscription ends", "alikafka_instance_expiry_timestamp_seconds", func(v float64) string { return time.UnixMilli(int64(v * 1000)).UTC().Format(time.DateOnly) }},
	} {
		if v, ok := s.Values[of.family]; ok {
			facts = append(facts, fact{Name: of.name, Value: of.write(v)})
		}
	}
	return facts
}

// topicRows returns the topics, the busiest first.
func topicRows(i *collector.Instance, now time.Time) []topicRow {
	consumers := map[string]int{}
	for _, g := range i.Groups {
		for _, t := range g.Progress.Data.Topics {
			consumers[t.Topic]++
		}
	}
	var rows []topicRow
	for _, t := range i.Topics {
		row := topicRow{Name: t.Name(), Partitions: t.Info.Data.PartitionNum, Produced: rate(t.Produced), Messages: "–", LastMessage: "–", Read: "–", Groups: consumers[t.Name()]}
		if t.Produced.Known {
			row.produced = t.Produced.PerSecond
		}
		if !t.Status.At.IsZero() {
			sum := int64(0)
			for _, p := range t.Status.Data.Partitions {
				sum += max(0, p.Newest-p.Oldest)
			}
			row.Messages, row.last = page.Number(float64(sum)), t.Status.At
			if ms := t.Status.Data.LastMessage; ms > 0 {
				row.LastMessage = page.Ago(now, time.UnixMilli(ms)) + " ago"
			}
		}
		for _, e := range t.Newest {
			if e.At.After(row.last) {
				row.last = e.At
			}
		}
		row.Read = page.Ago(now, row.last)
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(x, y topicRow) int { return cmp.Compare(y.produced, x.produced) })
	return rows
}
