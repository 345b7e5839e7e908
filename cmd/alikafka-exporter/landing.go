package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/version"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

//go:embed landing.html
var landingHTML string

// landing is what the page shows.
type landing struct {
	Version string
	Ready   bool
	At      time.Time
	Metrics string // path of the metrics, relative
	Links   []link
	Regions []regionRow
	Sources []sourceRow
	Plan    []planRow
}

type link struct{ Href, Text, Note string }

type regionRow struct {
	Account, ID, State string // State: up, down, pending
	Instances          int
}

type sourceRow struct {
	Account, RegionID, Source string
	Objects                   int
	Age, LastSuccess          string
	State                     string // ok, error, pending
	Code, Message, RequestID  string // of the last failure, if it was not followed by a success
	FailedAgo                 string
}

type planRow struct {
	Account, Source           string
	Objects                   int
	Calls, Limit              string // a minute
	Cycle, Active, Age, Worst string
	State, Targets            string // State: ok, pending (stretched), error (maximum age not held)
}

// landingPage answers with the status page. Links are relative, so that the
// page works behind any proxy.
func (a *app) landingPage() http.Handler {
	page := template.Must(template.New("landing").Parse(landingHTML))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		if err := page.Execute(&b, a.landing()); err != nil {
			a.log.Error("status page", "err", err)
			say(w, http.StatusInternalServerError, "the page could not be made")
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write(b.Bytes())
	})
}

// landing returns what there is to show now.
func (a *app) landing() landing {
	l := a.current.Load()
	s := l.collector.Status()
	page := landing{
		Version: strings.TrimSpace("Version " + cmp.Or(version.Version, "devel") + " " + version.Revision), Ready: l.isReady(), At: s.At, Metrics: a.metricsLink(), Links: a.links(),
	}
	for _, r := range s.Regions {
		page.Regions = append(page.Regions, regionRow{Account: r.Account, ID: r.ID, State: state(r.Tried, r.Up), Instances: r.Instances})
	}
	for _, src := range s.Sources {
		page.Sources = append(page.Sources, newSourceRow(src, s.At))
	}
	for i := range s.Plan {
		page.Plan = append(page.Plan, newPlanRow(&s.Plan[i]))
	}
	return page
}

func newPlanRow(r *collector.PlanRow) planRow {
	row := planRow{
		Account: r.Account, Source: r.Source, Objects: r.Objects, Calls: fmt.Sprintf("%.1f", 60*r.Used), Limit: fmt.Sprintf("%.0f", 60*r.Rate),
		Cycle: round(r.Cycle), Active: round(r.Active), Age: round(r.Age), Worst: round(r.Worst), State: "ok", Targets: "met",
	}
	switch {
	case !r.MaxAgeHeld:
		row.State, row.Targets = "error", "maximum age of "+round(r.MaxAge)+" not held"
	case !r.TargetsMet:
		row.State, row.Targets = "pending", "stretched"
	}
	return row
}

func (a *app) metricsLink() string { return strings.TrimPrefix(a.flags.telemetryPath, "/") }

func (a *app) links() []link {
	links := []link{
		{a.metricsLink(), "Metrics", "everything"},
		{"sd/prometheus", "Targets", "service discovery: one for each cloud instance"},
		{"-/ready", "Ready", "200 once every source was tried"},
		{"-/healthy", "Healthy", "200 while the process answers"},
	}
	if a.flags.pprof {
		links = append(links, link{"debug/pprof/", "Profiles", "CPU, heap, goroutines"})
	}
	return links
}

func state(tried, up bool) string {
	switch {
	case up:
		return "up"
	case tried:
		return "down"
	}
	return "pending"
}

func newSourceRow(s collector.SourceState, now time.Time) sourceRow {
	row := sourceRow{
		Account: s.Account, RegionID: s.RegionID, Source: s.Source, Objects: s.Objects,
		Age: age(now, s.Oldest), LastSuccess: age(now, s.LastSuccess), State: "ok",
	}
	if s.LastSuccess.IsZero() {
		row.State = "pending"
	}
	if s.Err == nil {
		return row
	}
	row.State, row.FailedAgo, row.Message = "error", age(now, s.ErrAt), s.Err.Error()
	if e, ok := errors.AsType[*api.Error](s.Err); ok {
		row.Code, row.Message, row.RequestID = e.Code, e.Message, e.RequestID
	}
	return row
}

// age writes how long ago t was; a dash for never.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	d := max(now.Sub(t), 0)
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
}
