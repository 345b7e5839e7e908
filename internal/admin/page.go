package admin

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/url"

	"gopkg.in/yaml.v3"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

//go:embed page.html
var pageHTML string

//go:embed page.js
var pageScript string

// pageHeader is the header of every request that the operations page makes. No
// form and no page of another origin can send it.
const pageHeader = "Alikafka-Exporter-Page"

// newPage makes the operations page. It holds no data: its script asks the
// endpoint for them, with the token that somebody typed into it.
func newPage() *page.Page {
	return page.New(page.Site{Name: "alikafka-exporter", Note: "operations"}, "", pageHTML, pageScript)
}

// servePage answers with the operations page, to anybody: there is nothing in
// it.
func (s *Server) servePage(x *exchange) error {
	s.count(x.Request, outcomeOK)
	return s.page.Serve(x.w, x.Request, http.StatusOK, nil)
}

// fromPage reports whether a request with an Origin comes from the operations
// page of this listener.
func fromPage(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || r.Header.Get(pageHeader) != "1" {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin, err := url.Parse(origins[0])
	return err == nil && (origin.Scheme == "http" || origin.Scheme == "https") && origin.Host != "" && origin.Host == r.Host
}

// getPrincipal says whose token it is.
func (s *Server) getPrincipal(x *exchange) error {
	p := x.principal
	acting := ""
	if err := s.engine.Err(); err != nil {
		acting = err.Error()
	}
	return s.answer(x, http.StatusOK, struct {
		Name       string   `json:"name"`
		Kind       string   `json:"kind"`
		Instances  string   `json:"instances"`
		Actions    []string `json:"actions,omitempty"`
		Effects    []string `json:"effects,omitempty"`
		MayApprove bool     `json:"may_approve"`
		Privileged bool     `json:"privileged"`
		NotActing  string   `json:"not_acting,omitempty"`
	}{p.Name, p.Kind, p.Instances.String(), p.Actions, p.Effects, p.MayApprove, p.Privileged, acting})
}

// getGuards returns the table of guards and the limits in force.
func (s *Server) getGuards(x *exchange) error {
	limits, err := yaml.Marshal(s.settings.Load().Config.Engine.Guards)
	if err != nil {
		return fmt.Errorf("limits of the guards: %w", err)
	}
	return s.answer(x, http.StatusOK, struct {
		Guards []engine.GuardInfo `json:"guards"`
		Limits string             `json:"limits"` // the section admin.guards as YAML
	}{engine.AllGuards(), string(limits)})
}
