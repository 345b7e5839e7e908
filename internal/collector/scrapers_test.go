package collector_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// TestFiftyScrapersWhilePolling has fifty clients scrape while groups are
// read several times a second. Half of them are slow or stuck. The others
// never wait, and no page mixes what two answers said of a group.
func TestFiftyScrapersWhilePolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		world := sim.Generate(sim.GenerateOptions{
			Instances: 2, TopicsPerInstance: 12, GroupsPerInstance: 8, PartitionsPerTopic: 4, TopicsPerGroup: 3, Rate: 200,
		}, 7)
		s := defaults("cn-hangzhou")
		s.limits = api.DefaultRateLimits()
		s.limits.Share, s.limits.Actions = 1, map[string]float64{"GetConsumerProgress": 10}
		s.config.Sources["consumer_group_progress"] = collector.Source{Interval: model.Duration(time.Second), TTL: model.Duration(time.Hour)}
		e := start(t, s, newCloud(t, sim.Options{World: &world, Limits: sim.Limits{Default: -1}}))
		stop := background(t, e)
		defer stop()
		<-e.Ready()
		h := exposition.NewHandler(exposition.Options{Page: e.Page, MaxInFlight: 32, WriteTimeout: 10 * time.Second})
		const length = 15 * time.Second
		end := time.Now().Add(length)
		var wg sync.WaitGroup
		var whole, refused, cut atomic.Int64
		fast, halted := 0, 0 // scrapes of clients that never wait; clients that are stuck
		for n := range short.Of(50) {
			pause := time.Duration(700+10*n) * time.Millisecond
			switch n % 4 {
			case slow:
			case stuck:
				halted++
			default:
				fast += int(length / pause)
			}
			wg.Go(func() {
				for time.Now().Before(end) {
					c := &scraper{header: http.Header{}, kind: n % 4, coding: []string{"gzip", "identity"}[n/4%2]}
					switch err := c.scrape(t, h); {
					case err != nil:
						t.Errorf("client %d: %v", n, err)
						return
					case c.status == http.StatusServiceUnavailable:
						refused.Add(1)
					case c.failed:
						cut.Add(1)
					default:
						whole.Add(1)
					}
					<-time.After(pause)
				}
			})
		}
		wg.Wait()
		// All of them come at once in the beginning, and some are refused then.
		if int(whole.Load()) < fast/2 || int(whole.Load()+refused.Load()) < fast || int(cut.Load()) < halted {
			t.Errorf("%d whole pages, %d refused, %d cut off; want %d scrapes that do not wait, and %d cut off",
				whole.Load(), refused.Load(), cut.Load(), fast, halted)
		}
		// None of them held polling up.
		for _, i := range e.Snapshot().Instances {
			for _, g := range i.Groups {
				if age := time.Since(g.Progress.At); age > 5*time.Second {
					t.Errorf("%s was read %v ago", g.Name(), age)
				}
			}
		}
	})
}

// The kinds of scrapers; even ones read as fast as they are written to.
const (
	slow  = 1
	stuck = 3
)

// scraper is a client as the handler sees it.
type scraper struct {
	kind     int
	coding   string
	header   http.Header
	status   int
	body     bytes.Buffer
	deadline time.Time
	failed   bool
}

func (c *scraper) Header() http.Header    { return c.header }
func (c *scraper) WriteHeader(status int) { c.status = status }

// SetWriteDeadline is what http.ResponseController looks for.
func (c *scraper) SetWriteDeadline(at time.Time) error {
	c.deadline = at
	return nil
}

func (c *scraper) Write(p []byte) (int, error) {
	switch c.kind {
	case slow:
		// Updates happen while p is on its way.
		<-time.After(900 * time.Millisecond)
	case stuck:
		<-time.After(time.Until(c.deadline))
	}
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		c.failed = true
		return 0, os.ErrDeadlineExceeded
	}
	return c.body.Write(p)
}

// scrape asks for the page and returns what is wrong with it.
func (c *scraper) scrape(t *testing.T, h http.Handler) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Accept-Encoding", c.coding)
	begin := time.Now()
	h.ServeHTTP(c, r)
	if took := time.Since(begin); c.kind%2 == 0 && took > 0 || took > 10*time.Second {
		return fmt.Errorf("it took %v", took)
	}
	if c.status == http.StatusServiceUnavailable || c.failed {
		return nil
	}
	var in io.Reader = &c.body
	if c.coding == "gzip" {
		if in, err = gzip.NewReader(in); err != nil {
			return err
		}
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return oneAnswer(string(text))
}

// oneAnswer checks that the lag of every group is the sum of its partitions'.
func oneAnswer(page string) error {
	groups, partitions := map[string]float64{}, map[string]float64{}
	for line := range strings.Lines(page) {
		name, rest, _ := strings.Cut(line, "{")
		sums := map[string]map[string]float64{
			"alikafka_consumer_group_lag_messages": groups, "alikafka_consumer_group_partition_lag_messages": partitions,
		}[name]
		if sums == nil {
			continue
		}
		labels, text, _ := strings.Cut(strings.TrimSpace(rest), "} ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		group, _, _ := strings.Cut(labels, ",topic=") // which follows those of the group
		sums[group] += value
	}
	if len(groups) != 16 || len(partitions) != 16 {
		return fmt.Errorf("%d groups with a lag, %d with one by partition, want 16", len(groups), len(partitions))
	}
	for g, want := range groups {
		if partitions[g] != want {
			return fmt.Errorf("%s: lag %v, of all partitions %v", g, want, partitions[g])
		}
	}
	return nil
}
