package main

import (
	"cmp"
	_ "embed"
	"net/http"
	"strings"

	"github.com/prometheus/common/version"

	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

//go:embed parts.html
var partsHTML string

// site is what the pages of the telemetry listener have in common.
func (a *app) site() page.Site {
	return page.Site{
		Name: "alikafka-exporter",
		Note: strings.TrimSpace(cmp.Or(version.Version, "devel")),
		Links: []page.Link{
			{Href: "./", Text: "Overview"},
			{Href: "consumer-groups", Text: "Consumer groups"},
			{Href: "config", Text: "Configuration"},
			{Href: a.metricsLink(), Text: "Metrics"},
		},
	}
}

// handlePages adds the pages that people look at.
func (a *app) handlePages(mux *http.ServeMux) {
	mux.Handle("GET /{$}", a.page("./", landingHTML, a.landing))
	mux.Handle("GET /consumer-groups", a.page("consumer-groups", groupsHTML, a.groups))
	mux.Handle("GET /consumer-group", a.page("consumer-groups", groupHTML, a.group))
	mux.Handle("GET /instance", a.page("./", instanceHTML, a.instance))
	mux.Handle("GET /config", a.page("config", configHTML, a.configuration))
}

// page makes the handler of a page that shows what data returns. A request
// that names nothing known gets the page of an error.
func (a *app) page(current, text string, data func(*http.Request) (any, *pageError)) http.Handler {
	site := a.site()
	good := page.New(site, current, partsHTML+text)
	bad := page.New(site, current, errorHTML)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if shown, unknown := data(r); unknown == nil {
			err = good.Serve(w, r, http.StatusOK, shown)
		} else {
			err = bad.Serve(w, r, unknown.Status, unknown)
		}
		if err != nil {
			a.log.Error("page", "path", r.URL.Path, "err", err)
			say(w, http.StatusInternalServerError, "the page could not be made")
		}
	})
}

// errorHTML is the page of a pageError.
const errorHTML = `{{define "title"}}{{.Title}}{{end}}
{{define "main"}}<h1>{{.Title}}</h1><p class="verdict">{{.Detail}}</p><p><a href="consumer-groups">All consumer groups</a> · <a href="./">Overview</a></p>{{end}}`

// pageError is why a page cannot be shown.
type pageError struct {
	Status        int
	Title, Detail string
}

// tone says how good or bad something is: one of the styles of page.css.
type tone string

const (
	good tone = "good"
	warn tone = "warn"
	bad  tone = "bad"
	calm tone = "calm"
)
