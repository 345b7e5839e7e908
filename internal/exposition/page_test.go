package exposition_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

// families are those of most tests.
var families = []exposition.Family{
	{Name: "kafka_info", Help: `What it "is"; a \ and a` + "\nnewline."},
	{Name: "kafka_lag_messages", Help: "Lag."},
	{Name: "kafka_lag_seconds", Help: "Lag.", Unit: "seconds"},
	{Name: "kafka_lost_total", Help: "Lost.", Type: exposition.Counter},
}

func newPage(t testing.TB, families ...exposition.Family) *exposition.Page {
	t.Helper()
	p, err := exposition.NewPage(families)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// handlerOf serves p.
func handlerOf(p *exposition.Page, o exposition.Options) *exposition.Handler {
	o.Page = func() *exposition.Page { return p }
	return exposition.NewHandler(o)
}

// get returns what the handler answers; an accepted gzip is undone.
func get(t testing.TB, h http.Handler, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// body returns the text of an answer whose length is as announced.
func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentLength >= 0 && r.ContentLength != int64(len(b)) {
		t.Errorf("Content-Length is %d, but there are %d bytes", r.ContentLength, len(b))
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		b = gunzip(t, b)
	}
	return string(b)
}

// gunzip reads one gzip member that must be all there is.
func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	in := bytes.NewReader(b)
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() > 0 {
		t.Fatalf("%d bytes after the gzip member", in.Len())
	}
	return text
}

// text returns the page in the text format.
func text(t testing.TB, h http.Handler) string {
	t.Helper()
	return body(t, get(t, h, "/metrics", "Accept-Encoding", "gzip"))
}

// instanceOf serves the page of an instance.
func instanceOf(h *exposition.Handler, instance string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeInstance(w, r, instance) })
}

func TestNewPageRefusesWhatNoParserWouldTake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		families []exposition.Family
		want     string
	}{
		"an illegal name":                         {[]exposition.Family{{Name: "a-b"}}, `family "a-b": not a metric name`},
		"a counter that does not end in _total":   {[]exposition.Family{{Name: "a", Type: exposition.Counter}}, "family a: the name of a counter ends in _total"},
		"a name that does not end in its unit":    {[]exposition.Family{{Name: "a_seconds", Unit: "bytes"}}, "family a_seconds: the name does not end in its unit bytes"},
		"a family twice":                          {[]exposition.Family{{Name: "a"}, {Name: "a"}}, "family a: there already"},
		"a gauge named as a counter is described": {[]exposition.Family{{Name: "a"}, {Name: "a_total", Type: exposition.Counter}}, "family a_total: there already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exposition.NewPage(test.families); err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestFamiliesAreContiguousAndInOrder(t *testing.T) {
	t.Parallel()
	p := newPage(t, families...)
	h := handlerOf(p, exposition.Options{})
	p.Publish(func(u *exposition.Update) {
		for _, instance := range []string{"i2", "i1", ""} {
			for _, bucket := range []string{"b", "a"} {
				for _, f := range []int{3, 1} {
					u.Set(f, instance, bucket, fmt.Appendf(nil, "%s{i=%q,b=%q} 1\n", families[f].Name, instance, bucket))
				}
			}
		}
	})
	want := `# HELP kafka_lag_messages Lag.
# TYPE kafka_lag_messages gauge
kafka_lag_messages{i="",b="a"} 1
kafka_lag_messages{i="",b="b"} 1
kafka_lag_messages{i="i1",b="a"} 1
kafka_lag_messages{i="i1",b="b"} 1
kafka_lag_messages{i="i2",b="a"} 1
kafka_lag_messages{i="i2",b="b"} 1
# HELP kafka_lost_total Lost.
# TYPE kafka_lost_total counter
kafka_lost_total{i="",b="a"} 1
kafka_lost_total{i="",b="b"} 1
kafka_lost_total{i="i1",b="a"} 1
kafka_lost_total{i="i1",b="b"} 1
kafka_lost_total{i="i2",b="a"} 1
kafka_lost_total{i="i2",b="b"} 1
`
	if got := text(t, h); got != want {
		t.Errorf("page:\n%s\nwant:\n%s", got, want)
	}
	samples := 0
	for l := range strings.Lines(want) {
		if l[0] != '#' {
			samples += len(l)
		}
	}
	if got, want := p.Size(), (exposition.Size{Series: 12, Blocks: 12, Text: int64(samples), Packed: p.Size().Packed}); got != want {
		t.Errorf("size %+v, want %+v", got, want)
	}
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	line := func(v int) []byte { return fmt.Appendf(nil, "kafka_info %d\n", v) }
	const info, lag = 0, 1
	for name, test := range map[string]struct {
		build func(*exposition.Update)
		want  string // values of kafka_info
	}{
		"nothing":                          {func(*exposition.Update) {}, "1 2 3"},
		"a block is replaced":              {func(u *exposition.Update) { u.Set(info, "i", "b", line(7)) }, "1 7 3"},
		"the last Set of a block counts":   {func(u *exposition.Update) { u.Set(info, "i", "b", line(7)); u.Set(info, "i", "b", line(8)) }, "1 8 3"},
		"a block may be set back":          {func(u *exposition.Update) { u.Set(info, "i", "b", line(7)); u.Set(info, "i", "b", line(2)) }, "1 2 3"},
		"no lines remove a block":          {func(u *exposition.Update) { u.Set(info, "i", "b", nil) }, "1 3"},
		"what is not there may be removed": {func(u *exposition.Update) { u.Set(info, "x", "y", nil) }, "1 2 3"},
		"a new block may be removed":       {func(u *exposition.Update) { u.Set(info, "i", "x", line(7)); u.Set(info, "i", "x", nil) }, "1 2 3"},
		"a removed block may be set":       {func(u *exposition.Update) { u.Set(info, "i", "b", nil); u.Set(info, "i", "b", line(7)) }, "1 7 3"},
		"a removed block may stay":         {func(u *exposition.Update) { u.Set(info, "i", "b", nil); u.Set(info, "i", "b", line(2)) }, "1 2 3"},
		"other families do not matter":     {func(u *exposition.Update) { u.Set(lag, "i", "b", line(7)); u.Set(lag, "i", "b", nil) }, "1 2 3"},
		"all may be removed": {func(u *exposition.Update) {
			for _, k := range []string{"ia", "ib", "jc"} {
				u.Set(info, k[:1], k[1:], nil)
			}
		}, ""},
		"blocks are sorted among the others": {func(u *exposition.Update) { u.Set(info, "i", "ab", line(7)); u.Set(info, "k", "", line(8)) }, "1 7 2 3 8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPage(t, families...)
			p.Publish(func(u *exposition.Update) {
				u.Set(info, "j", "c", line(3))
				u.Set(info, "i", "b", line(2))
				u.Set(info, "i", "a", line(1))
			})
			p.Publish(test.build)
			var got []string
			for l := range strings.Lines(text(t, handlerOf(p, exposition.Options{}))) {
				if v, ok := strings.CutPrefix(l, "kafka_info "); ok {
					got = append(got, strings.TrimSpace(v))
				}
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("values %q, want %q", got, test.want)
			}
		})
	}
}

func TestSetPanicsAboutWhatAreNoLines(t *testing.T) {
	t.Parallel()
	p := newPage(t, families...)
	func() {
		defer func() {
			if r := fmt.Sprint(recover()); !strings.Contains(r, "kafka_info") {
				t.Errorf("panic %q does not name the family", r)
			}
		}()
		p.Publish(func(u *exposition.Update) {
			u.Set(1, "", "", []byte("kafka_lag_messages 1\n"))
			u.Set(0, "", "", []byte("kafka_info 1"))
		})
	}()
	if got := text(t, handlerOf(p, exposition.Options{})); got != "" {
		t.Errorf("an update that failed left %q", got)
	}
	p.Publish(func(u *exposition.Update) { u.Set(0, "", "", []byte("kafka_info 1\n")) })
	if n := p.Size().Series; n != 1 {
		t.Errorf("%d series after the next update, want 1", n)
	}
}

// blockKey names a block in the model.
type blockKey struct {
	family           int
	instance, bucket string
}

func compareBlocks(a, b blockKey) int {
	return cmp.Or(a.family-b.family, strings.Compare(a.instance, b.instance), strings.Compare(a.bucket, b.bucket))
}

// blocks are a page that is too simple to be wrong.
type blocks map[blockKey]string

func (m blocks) text(instance string) string {
	var b strings.Builder
	last := -1
	for _, k := range slices.SortedFunc(maps.Keys(m), compareBlocks) {
		if instance != "" && k.instance != instance {
			continue
		}
		if k.family != last {
			f := families[k.family]
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.Name, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(f.Help), f.Name, f.Type)
			last = k.family
		}
		b.WriteString(m[k])
	}
	return b.String()
}

// randomLines returns up to n lines; none at times.
func randomLines(r *rand.Rand, k blockKey, n int) []byte {
	var b []byte
	for i := range r.IntN(n + 1) {
		labels := exposition.Labels(nil).Append("b", k.bucket).Append("i", k.instance).Append("n", strconv.Itoa(i))
		b = exposition.AppendSample(b, families[k.family].Name, labels, float64(r.IntN(3_000_000)))
	}
	return b
}

func TestRandomUpdatesShowWhatTheModelShows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(short.Of(3)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			p, m := newPage(t, families...), blocks{}
			h := handlerOf(p, exposition.Options{})
			for round := range 12 {
				randomUpdate(r, p, m)
				if got, want := text(t, h), m.text(""); got != want {
					t.Fatalf("round %d: page of %d bytes differs from the model of %d", round, len(got), len(want))
				}
				if got, want := body(t, get(t, h, "/metrics")), m.text(""); got != want {
					t.Fatalf("round %d: identity page of %d bytes differs from the model of %d", round, len(got), len(want))
				}
				id := fmt.Sprint("i", r.IntN(9))
				if got, want := text(t, instanceOf(h, id)), m.text(id); got != want {
					t.Fatalf("round %d: page of %s with %d bytes differs from the model of %d", round, id, len(got), len(want))
				}
				if s := p.Size(); s.Blocks != len(m) {
					t.Fatalf("round %d: %d blocks, want %d", round, s.Blocks, len(m))
				}
			}
		})
	}
}

// randomUpdate changes the page and the model alike: few or many blocks, small
// ones and some that are larger than a leaf.
func randomUpdate(r *rand.Rand, p *exposition.Page, m blocks) {
	p.Publish(func(u *exposition.Update) {
		for range 1 << r.IntN(10) {
			k := blockKey{r.IntN(len(families)), fmt.Sprint("i", r.IntN(9)), fmt.Sprint("b", r.IntN(300))}
			switch n := r.IntN(1000); {
			case n < 200:
				u.Set(k.family, k.instance, k.bucket, nil)
				delete(m, k)
			default:
				size := 5
				if n == 999 {
					size = 4000
				}
				lines := randomLines(r, k, size)
				u.Set(k.family, k.instance, k.bucket, lines)
				if m[k] = string(lines); len(lines) == 0 {
					delete(m, k)
				}
			}
		}
	})
}

func TestLeavesKeepTheirSize(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	p := newPage(t, families[0])
	const keys = 1500
	key := func(n int) blockKey { return blockKey{0, "i", fmt.Sprint("b", n)} }
	// What a short test does not come to set one by one, it sets at once: the
	// page shall be as large.
	p.Publish(func(u *exposition.Update) {
		for n := range keys - short.Of(keys) {
			u.Set(0, key(n).instance, key(n).bucket, randomLines(r, key(n), 60))
		}
	})
	for range short.Of(2000) {
		k := key(r.IntN(keys))
		p.Publish(func(u *exposition.Update) {
			if r.IntN(4) == 0 {
				u.Set(0, k.instance, k.bucket, nil)
			} else {
				u.Set(0, k.instance, k.bucket, randomLines(r, k, 60))
			}
		})
	}
	s := p.Size()
	n, lightest, heaviest := p.Leaves()
	weight := float64(s.Packed)/(64<<10) + float64(s.Blocks)/256
	t.Logf("%d blocks, %d bytes, %d leaves of weight %.2f to %.2f", s.Blocks, s.Packed, n, lightest, heaviest)
	if float64(n) > 3*weight+1 || heaviest > 1.1 {
		t.Errorf("%d leaves, the heaviest of %.2f times the intended weight, for %.1f times that weight in all", n, heaviest, weight)
	}
}
