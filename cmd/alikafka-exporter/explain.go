package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// problem is the body of an error of the API (RFC 9457).
type problem struct {
	Type   string   `json:"type"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail"`
	Field  string   `json:"field,omitempty"` // the parameter that is wrong
	Known  []string `json:"known,omitempty"` // what it might have been
}

// mostKnown is how many names an error lists.
const mostKnown = 100

// serveExplain says why a consumer group has its status.
func (a *app) serveExplain(w http.ResponseWriter, r *http.Request) {
	query, c := r.URL.Query(), a.current.Load().collector
	instance, group := query.Get("instance_id"), query.Get("consumer_group")
	for _, p := range []struct{ name, value string }{{"instance_id", instance}, {"consumer_group", group}} {
		if p.value == "" {
			answer(w, http.StatusBadRequest, problem{Title: "A parameter is missing", Detail: "parameter " + p.name + " is missing", Field: p.name})
			return
		}
	}
	if x, ok := c.Explain(instance, group); ok {
		answer(w, http.StatusOK, x)
		return
	}
	if groups, ok := c.GroupNames(instance); ok {
		answer(w, http.StatusNotFound, problem{
			Title: "Unknown consumer group", Detail: fmt.Sprintf("instance %q has no consumer group %q that is watched; it has %d", instance, group, len(groups)),
			Field: "consumer_group", Known: groups[:min(len(groups), mostKnown)],
		})
		return
	}
	ids := c.InstanceIDs()
	answer(w, http.StatusNotFound, problem{
		Title: "Unknown instance", Detail: fmt.Sprintf("instance %q is not known; %d are", instance, len(ids)), Field: "instance_id", Known: ids[:min(len(ids), mostKnown)],
	})
}

// answer answers with JSON; a problem as such.
func answer(w http.ResponseWriter, status int, body any) {
	kind := "application/json"
	if p, ok := body.(problem); ok {
		p.Type, p.Status = "about:blank", status
		body, kind = p, "application/problem+json"
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(body); err != nil {
		say(w, http.StatusInternalServerError, "the answer could not be made")
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String()))
}
