package main

import (
	"fmt"
	"net/http"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// serveKafkaExporter answers with the metrics of one cloud instance as
// kafka_exporter would name them. Until the exporter is ready there is none:
// half of an instance would look like groups that are gone.
func (a *app) serveKafkaExporter(w http.ResponseWriter, r *http.Request, metrics *exposition.Handler) {
	id := r.URL.Query().Get("instance_id")
	if id == "" {
		say(w, http.StatusBadRequest, "parameter instance_id is missing")
		return
	}
	l := a.current.Load()
	if !l.isReady() {
		say(w, http.StatusServiceUnavailable, "not ready: not every source was tried yet")
		return
	}
	page, ok := l.collector.KafkaExporterPage(id)
	if !ok {
		say(w, http.StatusNotFound, fmt.Sprintf("instance %q is not known", id))
		return
	}
	metrics.ServePage(w, r, page)
}
