package main

import (
	"encoding/json"
	"net"
	"net/http"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// targetGroup is an element of Prometheus' HTTP service discovery.
type targetGroup struct {
	Targets []string             `json:"targets"`
	Labels  collector.Discovered `json:"labels"`
}

// serveDiscovery answers with a target for every cloud instance, in a stable
// order. All of them are this exporter; which instance a target is for is in
// its labels. Until the exporter is ready it refuses, upon which Prometheus
// goes on with the targets that it has.
func (a *app) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	l := a.current.Load()
	if !l.isReady() {
		say(w, http.StatusServiceUnavailable, "not ready: not every source was tried yet")
		return
	}
	address := a.flags.address(r)
	groups := []targetGroup{}
	for _, instance := range l.collector.Discover() {
		groups = append(groups, targetGroup{Targets: []string{address}, Labels: instance})
	}
	body, err := json.MarshalIndent(groups, "", "  ")
	if err != nil {
		a.log.Error("service discovery", "err", err)
		say(w, http.StatusInternalServerError, "the list could not be made")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n'))
}

// address is where the scraper finds us: the host of the external URL, else
// the one that it has just used, else the address that it connected to.
func (f *webFlags) address(r *http.Request) string {
	if f.externalURL != nil {
		return f.externalURL.Host
	}
	if r.Host != "" {
		return r.Host
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return local.String()
	}
	return ""
}
