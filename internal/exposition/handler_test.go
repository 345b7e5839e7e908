package exposition_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// smallPage has a sample of two instances in every family.
func smallPage(t testing.TB, families ...exposition.Family) *exposition.Page {
	t.Helper()
	p := newPage(t, families...)
	p.Publish(func(u *exposition.Update) {
		for f := range families {
			for _, i := range []string{"i1", "i2"} {
				u.Set(f, i, "", exposition.AppendSample(nil, families[f].Name, exposition.Labels(nil).Append("instance_id", i), 1))
			}
		}
	})
	return p
}

func TestCodingIsNegotiated(t *testing.T) {
	t.Parallel()
	h := handlerOf(smallPage(t, families...), exposition.Options{})
	plain := body(t, get(t, h, "/metrics"))
	for _, test := range []struct{ accept, want string }{
		{"", ""},
		{"gzip", "gzip"},
		{"GZIP", "gzip"},
		{"x-gzip", "gzip"},
		{"gzip, deflate, br, zstd", "gzip"},
		{"deflate, gzip;q=0.5", "gzip"},
		{"gzip;q=0.5, identity;q=0.5", "gzip"},
		{"gzip;q=0.4, identity;q=0.5", ""},
		{"gzip;q=0", ""},
		{"gzip; Q=0.0", ""},
		{"gzip;q=nonsense", ""},
		{"br", ""},
		{"*", ""},
		{"identity", ""},
		{"identity;q=0, *", "gzip"},
		{"gzip, *;q=0", "gzip"},
		{"gzip, identity;q=0", "gzip"},
		{"identity;q=0", "refused"},
		{"*;q=0", "refused"},
		{"br, identity;q=0, gzip;q=0", "refused"},
	} {
		r := get(t, h, "/metrics", "Accept-Encoding", test.accept)
		if got := r.Header.Values("Vary"); !slices.Equal(got, []string{"Accept", "Accept-Encoding"}) {
			t.Errorf("Accept-Encoding %q: Vary %q", test.accept, got)
		}
		if refused := test.want == "refused"; refused || r.StatusCode != http.StatusOK {
			if refused != (r.StatusCode == http.StatusNotAcceptable) {
				t.Errorf("Accept-Encoding %q: %s, want %s", test.accept, r.Status, test.want)
			}
			continue
		}
		if got := r.Header.Get("Content-Encoding"); got != test.want {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, want %q", test.accept, got, test.want)
		}
		if got := body(t, r); got != plain {
			t.Errorf("Accept-Encoding %q: page %q, want %q", test.accept, got, plain)
		}
	}
}

func TestFormatIsNegotiated(t *testing.T) {
	t.Parallel()
	h := handlerOf(smallPage(t, families...), exposition.Options{})
	for _, test := range []struct{ accept, want string }{
		{"", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{"*/*", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{"text/plain", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{"application/json", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{accept3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.8," + accept3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"},
		{"application/openmetrics-text", "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores"},
	} {
		r := get(t, h, "/metrics", "Accept", test.accept)
		if got := r.Header.Get("Content-Type"); got != test.want {
			t.Errorf("Accept %q: Content-Type %q, want %q", test.accept, got, test.want)
		}
	}
}

func TestOpenMetrics(t *testing.T) {
	t.Parallel()
	want := `# HELP kafka_info What it \"is\"; a \\ and a\nnewline.
# TYPE kafka_info gauge
kafka_info{instance_id="i1"} 1
kafka_info{instance_id="i2"} 1
# HELP kafka_lag_messages Lag.
# TYPE kafka_lag_messages gauge
kafka_lag_messages{instance_id="i1"} 1
kafka_lag_messages{instance_id="i2"} 1
# HELP kafka_lag_seconds Lag.
# TYPE kafka_lag_seconds gauge
# UNIT kafka_lag_seconds seconds
kafka_lag_seconds{instance_id="i1"} 1
kafka_lag_seconds{instance_id="i2"} 1
# HELP kafka_lost Lost.
# TYPE kafka_lost counter
kafka_lost_total{instance_id="i1"} 1
kafka_lost_total{instance_id="i2"} 1
# EOF
`
	h := handlerOf(smallPage(t, families...), exposition.Options{})
	if got := body(t, get(t, h, "/metrics", "Accept", accept3, "Accept-Encoding", "gzip")); got != want {
		t.Errorf("page:\n%s\nwant:\n%s", got, want)
	}
}

func TestEmptyPages(t *testing.T) {
	t.Parallel()
	h := handlerOf(newPage(t, families...), exposition.Options{})
	for _, coding := range []string{"gzip", ""} {
		if got := body(t, get(t, h, "/metrics", "Accept-Encoding", coding)); got != "" {
			t.Errorf("text %q, want none", got)
		}
		if got := body(t, get(t, h, "/metrics", "Accept-Encoding", coding, "Accept", accept3)); got != "# EOF\n" {
			t.Errorf("OpenMetrics %q, want the end only", got)
		}
	}
}

func TestHeadHasTheHeadersOfGet(t *testing.T) {
	t.Parallel()
	h := handlerOf(smallPage(t, families...), exposition.Options{})
	srv := newServer(t, h)
	for _, coding := range []string{"gzip", "identity"} {
		var headers []http.Header
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := fetch(t, srv, method, "Accept-Encoding", coding)
			headers = append(headers, r.Header)
			if r.StatusCode != http.StatusOK || r.ContentLength <= 0 {
				t.Errorf("%s with %s: %s, length %d", method, coding, r.Status, r.ContentLength)
			}
			if method == http.MethodHead {
				continue
			}
			if got := len(body(t, r)); got == 0 {
				t.Errorf("%s with %s has no body", method, coding)
			}
		}
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Length", "Vary"} {
			if !slices.Equal(headers[0][name], headers[1][name]) {
				t.Errorf("%s: %s of HEAD is %q, of GET %q", coding, name, headers[1][name], headers[0][name])
			}
		}
	}
}

func TestFamiliesAreChosenByName(t *testing.T) {
	t.Parallel()
	h := handlerOf(smallPage(t, families...), exposition.Options{Own: ownMetrics("exporter_one", "exporter_two_total")})
	for query, want := range map[string][]string{
		"":                                       {"exporter_one", "exporter_two_total", "kafka_info", "kafka_lag_messages", "kafka_lag_seconds", "kafka_lost_total"},
		"?name[]=kafka_lag_seconds":              {"kafka_lag_seconds"},
		"?name%5B%5D=kafka_lost_total":           {"kafka_lost_total"},
		"?name[]=kafka_info&name[]=exporter_one": {"exporter_one", "kafka_info"},
		"?name[]=exporter_two_total":             {"exporter_two_total"},
		"?name[]=other":                          nil,
	} {
		if got := names(body(t, get(t, h, "/metrics"+query, "Accept-Encoding", "gzip"))); !slices.Equal(got, want) {
			t.Errorf("%s: families %q, want %q", query, got, want)
		}
	}
}

// names are the sorted names of families whose samples a page shows.
func names(page string) []string {
	var ns []string
	for l := range strings.Lines(page) {
		if l[0] != '#' {
			ns = append(ns, l[:strings.IndexAny(l, "{ ")])
		}
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

func TestAnInstanceHasItsOwnPage(t *testing.T) {
	t.Parallel()
	h := handlerOf(smallPage(t, families...), exposition.Options{Own: ownMetrics("exporter_one")})
	one := text(t, instanceOf(h, "i2"))
	if strings.Contains(one, "i1") || strings.Contains(one, "exporter_one") || strings.Count(one, `instance_id="i2"`) != len(families) {
		t.Errorf("page of the instance:\n%s", one)
	}
	if got := text(t, instanceOf(h, "unknown")); got != "" {
		t.Errorf("page of an unknown instance: %q", got)
	}
}

// ownMetrics are metrics of the exporter: counters when the name says so.
func ownMetrics(names ...string) prometheus.Gatherer {
	r := prometheus.NewRegistry()
	for _, n := range names {
		if strings.HasSuffix(n, "_total") {
			r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: n, Help: "Own."}))
		} else {
			r.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: n, Help: "Own."}))
		}
	}
	return r
}

func TestOwnMetricsFollowThePage(t *testing.T) {
	t.Parallel()
	own := ownMetrics("a_own", "b_own_total", "kafka_lag_seconds", "kafka_lost_total", "kafka_info_total")
	h := handlerOf(smallPage(t, families[1:]...), exposition.Options{Own: own})
	for _, coding := range []string{"gzip", ""} {
		got := body(t, get(t, h, "/metrics", "Accept", accept3, "Accept-Encoding", coding))
		_, after, _ := strings.Cut(got, "kafka_lost_total{instance_id=\"i2\"} 1\n")
		want := "# HELP a_own Own.\n# TYPE a_own gauge\na_own 0.0\n# HELP b_own Own.\n# TYPE b_own counter\nb_own_total 0.0\n" +
			"# HELP kafka_info Own.\n# TYPE kafka_info counter\nkafka_info_total 0.0\n# EOF\n"
		if after != want {
			t.Errorf("after the page:\n%s\nwant\n%s", after, want)
		}
	}
}

func TestOwnGaugesAndCountersOfOneNameAreToldApart(t *testing.T) {
	t.Parallel()
	h := handlerOf(newPage(t), exposition.Options{Own: ownMetrics("a_bytes", "a_bytes_total", "b_bytes_total")})
	got := body(t, get(t, h, "/metrics", "Accept", accept3))
	want := "# HELP a_bytes Own.\n# TYPE a_bytes gauge\na_bytes 0.0\n# HELP a_bytes_total Own.\n# TYPE a_bytes_total unknown\na_bytes_total 0\n" +
		"# HELP b_bytes Own.\n# TYPE b_bytes counter\nb_bytes_total 0.0\n# EOF\n"
	if got != want {
		t.Errorf("page:\n%s\nwant\n%s", got, want)
	}
	if got := body(t, get(t, h, "/metrics")); strings.Contains(got, "unknown") {
		t.Errorf("the text format need not tell them apart:\n%s", got)
	}
}

func TestOwnMetricsThatFailAreToldAndLeftOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := ownMetrics("own_fine").Gather()
		return append(families, &dto.MetricFamily{Name: new("own_broken"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{}}}), errors.Join(err, errors.New("disk on fire"))
	})
	h := handlerOf(smallPage(t, families...), exposition.Options{Own: broken, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	got := text(t, h)
	if !strings.HasSuffix(got, "own_fine 0\n") || strings.Contains(got, "own_broken") || !strings.HasPrefix(got, "# HELP kafka_info") {
		t.Errorf("page:\n%s", got)
	}
	for _, want := range []string{"disk on fire", "own_broken"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %q does not tell of %q", log.String(), want)
		}
	}
}

func TestLiveLinesAreMadeByEveryScrape(t *testing.T) {
	t.Parallel()
	var scrapes atomic.Int64
	fs := slices.Clone(families)
	live := func(dst []byte, instance string) []byte {
		return exposition.AppendSample(dst, "kafka_lag_messages", exposition.Labels(nil).Append("live", instance), float64(scrapes.Add(1)))
	}
	fs[1].Live = live
	p := smallPage(t, fs...)
	h := handlerOf(p, exposition.Options{})
	page := text(t, h)
	for n := 2; n < 5; n++ {
		if got, want := text(t, h), strings.Replace(page, `{live=""} 1`, fmt.Sprintf(`{live=""} %d`, n), 1); got != want {
			t.Errorf("scrape %d:\n%s\nwant\n%s", n, got, want)
		}
	}
	if got := text(t, instanceOf(h, "i1")); !strings.Contains(got, `{instance_id="i1"} 1`+"\n"+`kafka_lag_messages{live="i1"} 5`) {
		t.Errorf("page of the instance:\n%s", got)
	}
	fs[0].Live = func(dst []byte, _ string) []byte { return dst }
	if got := text(t, handlerOf(newPage(t, fs...), exposition.Options{})); strings.Contains(got, "kafka_info") || !strings.Contains(got, "\nkafka_lag_messages{") {
		t.Errorf("a page of live lines only:\n%s", got)
	}
}

func TestAPageOfOneScrapeHasTheFamiliesOfAnother(t *testing.T) {
	t.Parallel()
	p := smallPage(t, families...)
	h := handlerOf(p, exposition.Options{})
	before := text(t, h)
	own := p.WithLive(func(dst []byte, family int) []byte {
		if family != 1 {
			return dst
		}
		return exposition.AppendSample(dst, families[1].Name, exposition.Labels(nil).Append("only", "here"), 7)
	})
	got := text(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServePage(w, r, own) }))
	if want := "# HELP kafka_lag_messages "; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\nkafka_lag_messages{only=\"here\"} 7\n") || strings.Count(got, "\n") != 3 {
		t.Errorf("its page:\n%s", got)
	}
	if after := text(t, h); after != before {
		t.Errorf("the other page has become\n%s", after)
	}
}
