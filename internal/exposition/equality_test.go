package exposition_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

// accept3 is what Prometheus 3.15 sends.
const accept3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3"

// sample is a sample of the test that both paths show.
type sample struct {
	family           int
	instance, bucket string
	labels           []string // values
	value            float64
}

// sampler makes random families and samples of them.
type sampler struct {
	*rand.Rand
	families []exposition.Family
	names    [][]string // of the labels, sorted
	samples  []sample
}

func newSampler(seed uint64) *sampler {
	s := &sampler{Rand: rand.New(rand.NewPCG(seed, 11))}
	for i := range 1 + s.IntN(8) {
		f := exposition.Family{Name: fmt.Sprintf("kafka_f%d_seconds", i), Help: s.word(), Type: exposition.Type(s.IntN(2))}
		if f.Type == exposition.Counter {
			f.Name += "_total"
		}
		s.families = append(s.families, f)
		s.names = append(s.names, []string{"account", "bucket", "instance_id", "partition", "topic"}[:2+s.IntN(4)])
	}
	for n := range s.IntN(600) {
		s.samples = append(s.samples, s.sample(n))
	}
	return s
}

// sample returns a sample whose labels no other has.
func (s *sampler) sample(n int) sample {
	x := sample{family: s.IntN(len(s.families)), instance: fmt.Sprint("i", s.IntN(4)), bucket: s.word(), value: values[s.IntN(len(values))]}
	if s.IntN(2) == 0 {
		x.value = float64(s.Int64N(1 << 40))
	}
	if s.families[x.family].Type == exposition.Counter { // others are no counters
		if x.value = math.Abs(x.value); math.IsNaN(x.value) {
			x.value = 0
		}
	}
	for range s.names[x.family] {
		x.labels = append(x.labels, s.word())
	}
	x.labels[0] = strconv.Itoa(n)
	return x
}

func (s *sampler) word() string {
	alphabet := []rune("abc.-_ 012\"\\\n\t\x00{}#=,öß語\u2028🦜")
	w := make([]rune, s.IntN(9))
	for i := range w {
		w[i] = alphabet[s.IntN(len(alphabet))]
	}
	return string(w)
}

// publish shows the samples on a page.
func (s *sampler) publish(t *testing.T) *exposition.Page {
	t.Helper()
	p := newPage(t, s.families...)
	type block struct {
		family           int
		instance, bucket string
	}
	lines := map[block][]byte{}
	for _, x := range s.samples {
		var labels exposition.Labels
		for i, v := range x.labels {
			labels = labels.Append(s.names[x.family][i], v)
		}
		k := block{x.family, x.instance, x.bucket}
		lines[k] = exposition.AppendSample(lines[k], s.families[x.family].Name, labels, x.value)
	}
	p.Publish(func(u *exposition.Update) {
		for k, b := range lines {
			u.Set(k.family, k.instance, k.bucket, b)
		}
	})
	return p
}

// Describe implements prometheus.Collector.
func (s *sampler) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector, the reference.
func (s *sampler) Collect(ch chan<- prometheus.Metric) {
	for _, x := range s.samples {
		typ := prometheus.GaugeValue
		if s.families[x.family].Type == exposition.Counter {
			typ = prometheus.CounterValue
		}
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(s.families[x.family].Name, s.families[x.family].Help, s.names[x.family], nil), typ, x.value, x.labels...)
	}
}

// parsed are the lines of every family, those of samples sorted; and what is at
// the end.
func parsed(t *testing.T, page string) (map[string][]string, string) {
	t.Helper()
	families, end, now := map[string][]string{}, "", ""
	for l := range strings.Lines(page) {
		switch {
		case end != "":
			t.Fatalf("%q follows the end", l)
		case l == "# EOF\n":
			end = l
		case strings.HasPrefix(l, "# HELP "):
			now = strings.Fields(l)[2]
			if families[now] != nil {
				t.Fatalf("family %s is there twice", now)
			}
			families[now] = []string{l}
		case l[0] == '#':
			families[now] = append(families[now], l)
		case !strings.HasPrefix(l, now):
			t.Fatalf("%q is among the samples of %s", l, now)
		default:
			families[now] = append(families[now], canonical(l))
		}
	}
	for _, lines := range families {
		slices.SortStableFunc(lines, func(a, b string) int {
			if a[0] == '#' || b[0] == '#' {
				return 0
			}
			return cmp.Compare(a, b)
		})
	}
	return families, end
}

// canonical writes the value of a line as the text format does: 1.0 and 1 are
// the same number.
func canonical(line string) string {
	i := strings.LastIndexByte(line, ' ')
	v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
	if err != nil {
		return line
	}
	return line[:i+1] + strconv.FormatFloat(v, 'g', -1, 64)
}

func TestPagesAreThoseOfClientGolang(t *testing.T) {
	t.Parallel()
	for seed := range uint64(short.Of(40)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := newSampler(seed)
			registry := prometheus.NewRegistry()
			registry.MustRegister(s)
			reference := promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
			ours := handlerOf(s.publish(t), exposition.Options{})
			for _, accept := range []string{"", accept3, "application/openmetrics-text;version=0.0.1"} {
				want, got := get(t, reference, "/metrics", "Accept", accept), get(t, ours, "/metrics", "Accept", accept, "Accept-Encoding", "gzip")
				if a, b := got.Header.Get("Content-Type"), want.Header.Get("Content-Type"); a != b {
					t.Errorf("Accept %q: Content-Type %q, want %q", accept, a, b)
				}
				compare(t, body(t, got), body(t, want))
			}
		})
	}
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	g, gotEnd := parsed(t, got)
	w, wantEnd := parsed(t, want)
	if gotEnd != wantEnd {
		t.Errorf("the page ends in %q, want %q", gotEnd, wantEnd)
	}
	for name := range w {
		if !slices.Equal(g[name], w[name]) {
			t.Errorf("family %s:\n%q\nwant\n%q", name, g[name], w[name])
		}
		delete(g, name)
	}
	for name := range g {
		t.Errorf("family %s is not in the reference", name)
	}
}
