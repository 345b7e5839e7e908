package exposition_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

func TestAppendSample(t *testing.T) {
	t.Parallel()
	base := exposition.Labels(nil).Append("account", "main")
	for name, test := range map[string]struct {
		labels exposition.Labels
		value  float64
		want   string
	}{
		"a sample without labels has no braces":     {nil, 1, "f 1\n"},
		"labels stand in the order of appending":    {base.Append("topic", "a.b"), 2, `f{account="main",topic="a.b"} 2` + "\n"},
		"an empty value is shown":                   {base.Append("topic", ""), 2, `f{account="main",topic=""} 2` + "\n"},
		"quotes, backslashes, newlines are escaped": {exposition.Labels(nil).Append("a", "\"\\\n\t"), 0, "f{a=\"\\\"\\\\\\n\t\"} 0\n"},
		"what is no UTF-8 is replaced":              {exposition.Labels(nil).Append("a", "ä\xff\xfe€"), 0, "f{a=\"ä\ufffd\ufffd€\"} 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(exposition.AppendSample(nil, "f", test.labels, test.value)); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// valueByClientGolang returns the value as the reference prints it.
func valueByClientGolang(t testing.TB, v float64) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := expfmt.MetricFamilyToText(&b, &dto.MetricFamily{
		Name: new("f"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &v}}},
	}); err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(b.String(), "\nf ")
	return strings.TrimSuffix(sample, "\n")
}

// values are the ones where something changes.
var values = []float64{
	0, math.Copysign(0, -1), 1, -1, 1.5, 0.1, 1e-4, 1e-5, 999999, 999999.5, 1e6, -1e6, 1234567, -1234567, 1200000, 1e15, 123456789012345,
	1<<53 - 1, 1 << 53, 1<<53 + 2, -(1 << 53), 9.007199254740991e15, 1e16, 1e20, 1e21, 1e22, math.MaxInt64, math.MinInt64, 1 << 62, math.MaxUint64,
	math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(),
}

func FuzzValue(f *testing.F) {
	for _, v := range values {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		for _, v := range []float64{v, math.Trunc(v), math.Trunc(v/1000) * 1000} {
			if got, want := string(exposition.AppendValue(nil, v)), valueByClientGolang(t, v); got != want {
				t.Errorf("%v is shown as %s, want %s", v, got, want)
			}
		}
	})
}

func TestIntegersAreShownAsByClientGolang(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range short.Of(20_000) {
		v := float64(int64(r.Uint64()) >> r.IntN(64))
		if r.IntN(3) == 0 {
			v *= 1000
		}
		if got, want := string(exposition.AppendValue(nil, v)), valueByClientGolang(t, v); got != want {
			t.Fatalf("%v is shown as %s, want %s", v, got, want)
		}
	}
}

// FuzzLabels appends two labels and reads them back.
func FuzzLabels(f *testing.F) {
	for _, s := range []string{"", "my.topic", `a"b`, `a\nb\`, "a\nb", "Bestellungen-größer-0", "\xff", "\xf0\x9f", "a\x00b", "\r\t", "\ufeff"} {
		f.Add(s, "x"+s)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		line := exposition.AppendSample(nil, "f", exposition.Labels(nil).Append("a", first).Append("b", second), 1)
		if n := bytes.Count(line, []byte{'\n'}); n != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("%q is not one line", line)
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for i, want := range []string{first, second} {
			want = string([]rune(want)) // what is no UTF-8 is replaced
			if got := families["f"].GetMetric()[0].GetLabel()[i].GetValue(); got != want {
				t.Errorf("label %d is %q, want %q", i, got, want)
			}
		}
	})
}

func TestRenderingAllocatesNothing(t *testing.T) {
	labels := exposition.Labels(make([]byte, 0, 200)).Append("topic", `größer "0"`)
	page := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(100, func() {
		page = exposition.AppendSample(page[:0], "f", labels.Append("partition", "12").Append("x", "y"), 1234567)
		page = exposition.AppendSample(page, "f", labels, 0.25)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkAppendSample(b *testing.B) {
	labels := exposition.Labels(nil).Append("account", "main").Append("consumer_group", "order-payment-events").Append("instance_id", "alikafka_pre-cn-8ex3zxq2q001").
		Append("region_id", "cn-hangzhou").Append("topic", "order-created-12")
	labels = append(make(exposition.Labels, 0, 300), labels...)
	page := make([]byte, 0, 1000)
	for b.Loop() {
		page = exposition.AppendSample(page[:0], "alikafka_consumer_group_partition_offset", labels.Append("partition", "17"), 1723456789)
	}
}
