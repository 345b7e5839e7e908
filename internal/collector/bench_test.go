package collector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// The group of the benchmark: a thousand partitions of twenty topics.
const (
	benchTopics     = 20
	benchPartitions = 1000
	benchGroup      = "GID_order_settlement_prod"
	benchInstance   = "alikafka_post-cn-x0r4k2ab7001"
)

// BenchmarkReply is one reply of GetConsumerProgress, from its bytes to what a
// scrape needs: decoded, merged, rendered and deflated (blocks); and what
// client_golang does with it, encoding/json included (reference).
func BenchmarkReply(b *testing.B) {
	world := benchWorld()
	var replies [][]byte
	for n := range 8 { // offsets move from one to the next
		cloud, err := sim.New(sim.Options{World: &world, Skew: time.Duration(n) * 30 * time.Second, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
		if err != nil {
			b.Fatal(err)
		}
		replies = append(replies, progressReply(b, cloud))
	}
	cloud, err := sim.New(sim.Options{World: &world, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("blocks", func(b *testing.B) { benchBlocks(b, cloud, replies) })
	b.Run("reference", func(b *testing.B) { benchReference(b, cloud, replies) })
}

func benchBlocks(b *testing.B, cloud *sim.Cloud, replies [][]byte) {
	transport := &canned{RoundTripper: cloud}
	c := loaded(b, transport)
	transport.replies = replies
	b.ReportAllocs()
	for b.Loop() {
		if err := c.ReadProgressForTest(b.Context(), "cn-hangzhou", benchInstance, benchGroup); err != nil {
			b.Fatal(err)
		}
	}
	report(b, countSeries(b, c))
}

// countSeries returns how many series c shows.
func countSeries(b *testing.B, c *collector.Collector) float64 {
	b.Helper()
	w := httptest.NewRecorder()
	exposition.NewHandler(exposition.Options{Page: c.Page}).ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil))
	n := 0
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return float64(n)
}

// report adds the figures by partition.
func report(b *testing.B, series float64) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchPartitions, "ns/partition")
	b.ReportMetric(series, "series")
}

func benchReference(b *testing.B, cloud *sim.Cloud, replies [][]byte) {
	c := loaded(b, cloud)
	r := prometheus.NewRegistry()
	r.MustRegister(c.Families(""))
	n, series := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		var reply plainProgress
		if err := json.Unmarshal(replies[n%len(replies)], &reply); err != nil {
			b.Fatal(err)
		}
		n++
		families, err := r.Gather()
		if err != nil {
			b.Fatal(err)
		}
		encoder := expfmt.NewEncoder(io.Discard, expfmt.NewFormat(expfmt.TypeTextPlain))
		series = 0
		for _, f := range families {
			series += len(f.GetMetric())
			if err := encoder.Encode(f); err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, float64(series))
}

// plainProgress is the reply as a program that thinks of nothing special
// declares it.
type plainProgress struct {
	RequestID        string `json:"RequestId"`
	Code             int
	Success          bool
	ConsumerProgress struct {
		TotalDiff     int64
		LastTimestamp int64
		State         string `json:"state"`
		TopicList     struct {
			TopicList []struct {
				Topic         string
				TotalDiff     int64
				LastTimestamp int64
				OffsetList    struct {
					OffsetList []struct {
						Partition      int32
						ConsumerOffset int64
						BrokerOffset   int64
						LastTimestamp  int64
						Accumulate     int64
						MemberID       string `json:"MemberId"`
						ClientID       string `json:"ClientId"`
						ClientIP       string `json:"ClientIp"`
					}
				}
			}
		}
	}
}

func benchWorld() sim.World {
	in := sim.Instance{ID: benchInstance, Name: "trade", RegionID: "cn-hangzhou"}
	g := sim.Group{Name: benchGroup, Members: 12}
	for n := range benchTopics {
		t := sim.Topic{
			Name: fmt.Sprintf("trade.%s.%s.v%d", []string{"order", "payment", "refund", "coupon", "shipment"}[n%5], []string{"created", "changed", "archived", "audit"}[n/5], 1+n%3),
			// Some have more than others.
			Partitions: benchPartitions/benchTopics + 8*(n%2*2-1), Rate: float64(int64(3) << (n % 12)), Age: 300 * 24 * time.Hour,
		}
		in.Topics = append(in.Topics, t)
		g.Subscriptions = append(g.Subscriptions, sim.Subscription{Topic: t.Name, Delay: time.Duration(1+n*n) * 100 * time.Millisecond})
	}
	in.Groups = []sim.Group{g}
	return sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{in}}}}
}

// progressReply is what the cloud answers now.
func progressReply(b *testing.B, cloud http.RoundTripper) []byte {
	b.Helper()
	body, err := client(b, cloud).Do(b.Context(), api.Raw{
		Action: "GetConsumerProgress", RegionID: "cn-hangzhou",
		Params: map[string]string{"RegionId": "cn-hangzhou", "InstanceId": benchInstance, "ConsumerId": benchGroup},
	})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// unlimited is as good as no limits.
func unlimited() api.RateLimits {
	l := api.DefaultRateLimits()
	l.Share, l.Default, l.PerSourceIP = 1, 1e6, 1e5
	return l
}

func client(b *testing.B, transport http.RoundTripper) *api.Client {
	b.Helper()
	limits := unlimited()
	c, err := api.NewClient(api.Options{
		Account: "main", Credentials: fixed{ID: "testid", Secret: secret.New("testsecret")}, Transport: transport,
		Limiter: api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP)),
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// loaded returns a collector that has read everything once and stopped.
func loaded(b *testing.B, transport http.RoundTripper) *collector.Collector {
	b.Helper()
	return loadedWith(b, transport, func(*collector.Config) {})
}

func loadedWith(b *testing.B, transport http.RoundTripper, change func(*collector.Config)) *collector.Collector {
	b.Helper()
	a := collector.DefaultAccountConfig()
	a.Name, a.Regions = "main", []string{"cn-hangzhou"}
	config := collector.DefaultConfig()
	config.OwnerInfo = true
	change(&config)
	c := collector.New(collector.Options{
		Accounts: []collector.Account{{AccountConfig: a, Client: client(b, transport)}}, Config: config,
		Logger: slog.New(slog.DiscardHandler), Metrics: collector.NewMetrics(),
	})
	ctx, stop := context.WithCancel(b.Context())
	go func() {
		<-c.Ready()
		stop()
	}()
	if err := c.Run(ctx); err != nil {
		b.Fatal(err)
	}
	return c
}

// canned answers every call with the next of replies, once it has some.
type canned struct {
	http.RoundTripper

	replies [][]byte
	n       int
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(c.replies) == 0 {
		return c.RoundTripper.RoundTrip(r)
	}
	body := c.replies[c.n%len(c.replies)]
	c.n++
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}
