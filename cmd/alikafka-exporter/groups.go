package main

import (
	"cmp"
	_ "embed"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

//go:embed groups.html
var groupsHTML string

// groupStatus is a status with how bad it is.
type groupStatus struct {
	Name string
	Tone tone
}

// statusOrder lists the statuses of consumer groups, the worst first.
func statusOrder() []string {
	return []string{"stopped", "stalled", "rewound", "warning", "unknown", "abandoned", "ok"}
}

func newGroupStatus(name string) groupStatus {
	switch name {
	case "ok":
		return groupStatus{name, good}
	case "warning", "rewound":
		return groupStatus{name, warn}
	case "stalled", "stopped":
		return groupStatus{name, bad}
	case "":
		name = "unknown"
	}
	return groupStatus{name, calm}
}

// unwell reports whether somebody should look.
func (s groupStatus) unwell() bool { return s.Tone == bad || s.Tone == warn }

// groupRow is a consumer group in a list.
type groupRow struct {
	Status                      groupStatus
	Group, Href                 string
	InstanceID, Instance, Where string
	InstanceHref                string
	Lag, Seconds, Members, Age  string
	lag, seconds                float64
}

// groupRows returns the groups of an instance, of all when it is empty, the
// worst first.
func (l *life) groupRows(instanceID string) []groupRow {
	names := l.instanceNames()
	var rows []groupRow
	now := time.Now()
	for _, s := range l.collector.ConsumerGroups(instanceID) {
		row := groupRow{
			Status: newGroupStatus(s.Status), Group: s.Group, Href: groupHref(s.InstanceID, s.Group),
			InstanceID: s.InstanceID, Instance: cmp.Or(names[s.InstanceID], s.InstanceID), InstanceHref: instanceHref(s.InstanceID), Where: s.RegionID + ", " + s.Account,
			Lag: "–", Seconds: "–", Members: "–", Age: page.Ago(now, s.Time("alikafka_consumer_group_last_poll_timestamp_seconds")),
			lag: s.Values["alikafka_consumer_group_lag_messages"], seconds: s.Values["alikafka_consumer_group_lag_seconds"],
		}
		if v, ok := s.Values["alikafka_consumer_group_lag_messages"]; ok {
			row.Lag = page.Count(int64(v))
		}
		if v, ok := s.Values["alikafka_consumer_group_lag_seconds"]; ok {
			row.Seconds = page.Duration(seconds(v))
		}
		if v, ok := s.Values["alikafka_consumer_group_members"]; ok {
			row.Members = page.Count(int64(v))
		}
		rows = append(rows, row)
	}
	order := statusOrder()
	slices.SortStableFunc(rows, func(x, y groupRow) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.Status.Name), slices.Index(order, y.Status.Name)), cmp.Compare(y.seconds, x.seconds),
			cmp.Compare(y.lag, x.lag), cmp.Compare(x.Group, y.Group))
	})
	return rows
}

// instanceNames returns the names of instances by id.
func (l *life) instanceNames() map[string]string {
	names := map[string]string{}
	for _, i := range l.collector.Snapshot().Instances {
		names[i.ID] = i.Info.Data.Name
	}
	return names
}

func groupHref(instanceID, group string) string {
	return "consumer-group?" + url.Values{"instance_id": {instanceID}, "consumer_group": {group}}.Encode()
}

func instanceHref(id string) string { return "instance?" + url.Values{"instance_id": {id}}.Encode() }

// groupList is the list of consumer groups.
type groupList struct {
	Now          time.Time
	Search       string
	Status       string // chosen; "" for all
	InstanceID   string
	InstanceName string
	Choices      []choice
	Rows         []groupRow
	Found, All   int
}

// choice is a status to choose.
type choice struct {
	Href, Name string
	Count      int
	Chosen     bool
}

// mostRows is how many groups are shown at once; a search finds the others.
const mostRows = 200

// groups returns the groups that the request searches for.
func (a *app) groups(r *http.Request) (any, *pageError) {
	q := r.URL.Query()
	v := groupList{Now: time.Now(), Search: strings.TrimSpace(q.Get("search")), Status: q.Get("status"), InstanceID: q.Get("instance_id")}
	l := a.current.Load()
	if v.InstanceID != "" {
		if !l.collector.HasInstance(v.InstanceID) {
			return nil, unknownInstance(v.InstanceID)
		}
		v.InstanceName = cmp.Or(l.instanceNames()[v.InstanceID], v.InstanceID)
	}
	all := l.groupRows(v.InstanceID)
	v.All = len(all)
	counts := map[string]int{}
	needle := strings.ToLower(v.Search)
	for _, row := range all {
		if !strings.Contains(strings.ToLower(row.Group+"\n"+row.Instance+"\n"+row.InstanceID), needle) {
			continue
		}
		counts[row.Status.Name]++
		counts[""]++
		if v.Status == "" || v.Status == row.Status.Name {
			v.Found++
			v.Rows = append(v.Rows, row)
		}
	}
	v.Rows = v.Rows[:min(len(v.Rows), mostRows)]
	for _, name := range append([]string{""}, statusOrder()...) {
		if name == "" || counts[name] > 0 || name == v.Status {
			v.Choices = append(v.Choices, choice{v.href(name), cmp.Or(name, "all"), counts[name], name == v.Status})
		}
	}
	return v, nil
}

// href is the same search for another status.
func (v groupList) href(status string) string {
	q := url.Values{}
	for key, value := range map[string]string{"search": v.Search, "status": status, "instance_id": v.InstanceID} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if len(q) == 0 {
		return "consumer-groups"
	}
	return "consumer-groups?" + q.Encode()
}

func unknownInstance(id string) *pageError {
	if id == "" {
		return &pageError{http.StatusBadRequest, "No instance is named", "The parameter instance_id is missing."}
	}
	return &pageError{http.StatusNotFound, "Not known", "No instance " + id + " is watched. It may be filtered out, deleted, or not read yet."}
}

// rate writes messages per second; a dash where the rate is not known.
func rate(r collector.Rate) string {
	if !r.Known || math.IsNaN(r.PerSecond) {
		return "–"
	}
	return page.Number(r.PerSecond) + " / s"
}
