package main

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

//go:embed landing.html
var landingHTML string

// landing is what the overview shows: the answer first, then what it rests on.
type landing struct {
	Now, Started time.Time
	Ready        bool
	Headline     headline
	Points       []string // what the headline rests on, where it is not good
	Tiles        []tile
	Groups       []groupRow // that are not well, the worst first
	Instances    []instanceRow
	Regions      []regionRow
	Sources      []sourceRow
	Plan         []planRow
	Calls        []callRow
	Errors       []failure
	Metrics      string // path of the metrics, relative
	Links        []page.Link
}

type headline struct {
	Tone       tone
	Word, Text string
}

type tile struct {
	Name, Value, Note string
	Tone              tone
	Shares            template.HTML
}

type regionRow struct {
	Account, ID, State string
	Tone               tone
	Instances          int
}

type sourceRow struct {
	Account, RegionID, Source, Action string
	Objects                           int
	Age, Interval, TTL, LastSuccess   string
	oldest                            time.Time // when the oldest object was read
	Late                              bool      // older than it is kept for
	State                             string
	Tone                              tone
	Code, Message, RequestID          string // of the last failure, if it was not followed by a success
	FailedAgo                         string
}

type callRow struct {
	Account, Action, Now, Share, Attempts, Throttled, Failed, Waited string
	Slowed                                                           bool
}

type planRow struct {
	Account, Source           string
	Objects                   int
	Calls, Limit              string // a minute
	Cycle, Active, Age, Worst string
	Targets                   string
	Tone                      tone
}

func newPlanRow(r *collector.PlanRow) planRow {
	row := planRow{
		Account: r.Account, Source: r.Source, Objects: r.Objects, Calls: fmt.Sprintf("%.1f", 60*r.Used), Limit: fmt.Sprintf("%.0f", 60*r.Rate),
		Cycle: page.Duration(r.Cycle), Active: page.Duration(r.Active), Age: page.Duration(r.Age), Worst: page.Duration(r.Worst), Targets: "met", Tone: good,
	}
	switch {
	case !r.MaxAgeHeld:
		row.Tone, row.Targets = bad, "maximum age of "+page.Duration(r.MaxAge)+" not held"
	case !r.TargetsMet:
		row.Tone, row.Targets = calm, "stretched"
	}
	return row
}

// The longest lists of the overview.
const (
	mostAttention = 12
	mostErrors    = 20
)

// landing returns what there is to show now.
func (a *app) landing(*http.Request) (any, *pageError) {
	l := a.current.Load()
	s := l.collector.Status()
	v := landing{
		Now: s.At, Started: a.started, Ready: l.isReady(), Metrics: a.metricsLink(), Links: a.links(), Errors: a.failures.latest(mostErrors),
	}
	for _, r := range s.Regions {
		v.Regions = append(v.Regions, newRegionRow(r))
	}
	for _, src := range s.Sources {
		v.Sources = append(v.Sources, newSourceRow(src, l.config.Collect, s.At))
	}
	for i := range s.Plan {
		v.Plan = append(v.Plan, newPlanRow(&s.Plan[i]))
	}
	slices.SortStableFunc(v.Sources, func(x, y sourceRow) int {
		return cmp.Or(cmp.Compare(rank(x.Tone), rank(y.Tone)), cmp.Compare(x.Source, y.Source))
	})
	groups := l.groupRows("")
	v.Instances = l.instanceRows(groups)
	for _, g := range groups {
		if g.Status.unwell() && len(v.Groups) < mostAttention {
			v.Groups = append(v.Groups, g)
		}
	}
	for _, c := range a.metrics.Calls() {
		v.Calls = append(v.Calls, l.callRow(c))
	}
	v.judge(groups)
	v.tiles(groups)
	return v, nil
}

// judge finds the headline: the worst of what is known.
func (v *landing) judge(groups []groupRow) {
	down, failing, out, unwell := 0, 0, 0, map[string]int{}
	for _, r := range v.Regions {
		if r.Tone == bad {
			down++
			v.Points = append(v.Points, fmt.Sprintf("The instances of %s (account %s) cannot be listed: what is shown of it may be old.", r.ID, r.Account))
		}
	}
	for _, s := range v.Sources {
		if s.Tone == bad {
			failing++
		}
	}
	for _, i := range v.Instances {
		if i.Tone == bad {
			out++
			v.Points = append(v.Points, fmt.Sprintf("%s is %s: what is shown of its groups is from before.", i.Name, strings.ReplaceAll(i.Status, "_", " ")))
		}
	}
	ill, unknown := 0, 0
	for _, g := range groups {
		if g.Status.Name == "unknown" {
			unknown++
		}
		if g.Status.unwell() {
			ill++
			unwell[g.Status.Name]++
		}
	}
	switch {
	case down > 0:
		v.Headline = headline{bad, "down", plural(down, "region", "regions") + " cannot be read"}
	case out > 0:
		v.Headline = headline{bad, "out", fmt.Sprintf("%d of %s out of service", out, plural(len(v.Instances), "instance", "instances"))}
	case ill > 0:
		v.Headline = headline{worst(groups).Status.Tone, "look", fmt.Sprintf("%d of %s need attention", ill, plural(len(groups), "consumer group", "consumer groups"))}
	case !v.Ready:
		v.Headline = headline{calm, "starting", "Not every source was read yet"}
	case failing > 0:
		v.Headline = headline{warn, "look", plural(failing, "source", "sources") + " failed at the last read"}
	case unknown > 0:
		v.Headline = headline{calm, "unknown", fmt.Sprintf("How %d of %s are doing is not known", unknown, plural(len(groups), "consumer group", "consumer groups"))}
	case len(groups) == 0:
		v.Headline = headline{calm, "idle", "No consumer group is watched"}
	default:
		v.Headline = headline{good, "ok", "Every consumer group is well"}
	}
	if ill > 0 && down == 0 {
		v.Points = append(v.Points, summed(unwell)+".")
	}
	if failing > 0 && v.Headline.Tone == bad {
		v.Points = append(v.Points, plural(failing, "source", "sources")+" failed at the last read; see below for why.")
	}
}

// worst returns the first of rows that are sorted; there is one.
func worst(rows []groupRow) groupRow { return rows[0] }

// summed writes how many there are of each status.
func summed(counts map[string]int) string {
	var parts []string
	for _, s := range statusOrder() {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return page.Count(n) + " " + many
}

// tiles are the numbers below the headline.
func (v *landing) tiles(groups []groupRow) {
	counts, lag, slowest := map[tone]int{}, 0.0, groupRow{}
	for _, g := range groups {
		counts[g.Status.Tone]++
		lag += g.lag
		if g.seconds > slowest.seconds {
			slowest = g
		}
	}
	shares := page.Shares([]page.Share{{Tone: string(bad), Count: counts[bad]}, {Tone: string(warn), Count: counts[warn]}, {Tone: string(calm), Count: counts[calm]}, {Tone: string(good), Count: counts[good]}})
	v.Tiles = []tile{
		{Name: "Consumer groups", Value: page.Count(len(groups)), Note: fmt.Sprintf("%d well", counts[good]), Shares: shares},
		{Name: "Lag, all groups", Value: page.Number(lag), Note: "messages to consume"},
		{Name: "Furthest behind", Value: page.Duration(seconds(slowest.seconds)), Note: slowest.Group},
		v.serviceTile(),
		v.ageTile(),
		v.callTile(),
	}
}

// serviceTile counts the instances that serve: one that expires soon does.
func (v *landing) serviceTile() tile {
	serve, t := 0, tile{Name: "Instances in service"}
	for _, i := range v.Instances {
		switch {
		case i.Status == "in_service" || i.Status == "expiring":
			serve++
		case i.Tone == bad || t.Tone == "":
			t.Tone = i.Tone
		}
	}
	t.Value = fmt.Sprintf("%d of %d", serve, len(v.Instances))
	return t
}

// ageTile shows the age of the progress of groups, which is what one comes for:
// that of the oldest, wherever it is.
func (v *landing) ageTile() tile {
	t, oldest := tile{Name: "Lag was read", Value: "–", Note: "no group was read yet"}, time.Time{}
	for _, s := range v.Sources {
		if s.Action == "GetConsumerProgress" && s.Objects > 0 && (oldest.IsZero() || s.oldest.Before(oldest)) {
			oldest = s.oldest
			t.Value, t.Tone = s.Age+" ago", toneIf(s.Late, warn)
			t.Note = "the oldest; groups that move every " + s.Interval
		}
	}
	return t
}

func (v *landing) callTile() tile {
	throttled := 0
	for _, c := range v.Calls {
		if c.Throttled != "" {
			throttled++
		}
	}
	t := tile{Name: "Calls to the cloud", Value: "not throttled", Note: plural(len(v.Calls), "action", "actions") + " in use"}
	if throttled > 0 {
		t.Value, t.Tone, t.Note = plural(throttled, "action", "actions")+" throttled", warn, "since the start"
	}
	return t
}

func toneIf(yes bool, t tone) tone {
	if yes {
		return t
	}
	return ""
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (a *app) metricsLink() string { return strings.TrimPrefix(a.flags.telemetryPath, "/") }

func (a *app) links() []page.Link {
	links := []page.Link{{Href: "sd/prometheus", Text: "Targets"}, {Href: "-/ready", Text: "Ready"}, {Href: "-/healthy", Text: "Healthy"}}
	if a.flags.pprof {
		links = append(links, page.Link{Href: "debug/pprof/", Text: "Profiles"})
	}
	return links
}

func newRegionRow(r *collector.Region) regionRow {
	row := regionRow{Account: r.Account, ID: r.ID, State: "pending", Tone: calm, Instances: r.Instances}
	switch {
	case r.Up:
		row.State, row.Tone = "up", good
	case r.Tried:
		row.State, row.Tone = "down", bad
	}
	return row
}

func newSourceRow(s collector.SourceState, c collector.Config, now time.Time) sourceRow {
	cadence := c.Sources[s.Source]
	row := sourceRow{
		Account: s.Account, RegionID: s.RegionID, Source: s.Source, Action: collector.ActionOf(s.Source), Objects: s.Objects,
		oldest: s.Oldest, Age: page.Ago(now, s.Oldest), Interval: page.Duration(time.Duration(cadence.Interval)), TTL: page.Duration(time.Duration(cadence.TTL)),
		LastSuccess: page.Ago(now, s.LastSuccess), Late: !s.Oldest.IsZero() && now.Sub(s.Oldest) > time.Duration(cadence.TTL), State: "ok", Tone: good,
	}
	if s.LastSuccess.IsZero() {
		row.State, row.Tone = "pending", calm
	}
	if s.Err == nil {
		return row
	}
	row.State, row.Tone, row.FailedAgo, row.Message = "error", bad, page.Ago(now, s.ErrAt), s.Err.Error()
	if e, ok := errors.AsType[*api.Error](s.Err); ok {
		row.Code, row.Message, row.RequestID = e.Code, e.Message, e.RequestID
	}
	return row
}

// callRow sets an action's calls beside its limit.
func (l *life) callRow(c collector.ActionCalls) callRow {
	share := l.config.RateLimits.Limit(c.Action) * l.config.RateLimits.Share
	row := callRow{
		Account: c.Account, Action: c.Action, Now: "–", Share: page.Number(share) + " / s", Attempts: page.Number(c.Attempts),
		Waited: page.Duration(seconds(c.WaitSeconds)), Slowed: c.PerSecond > 0 && c.PerSecond < 0.95*share,
	}
	if c.PerSecond > 0 {
		row.Now = page.Number(c.PerSecond) + " / s"
	}
	if c.Throttled > 0 {
		row.Throttled = page.Number(c.Throttled)
	}
	if c.Failed > 0 {
		row.Failed = page.Number(c.Failed)
	}
	return row
}
