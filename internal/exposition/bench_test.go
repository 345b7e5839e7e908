package exposition_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// cloud makes samples as a cloud of Kafka instances has them: groups that each
// consume some topics of 12 to 48 partitions, six families of partitions.
type cloud struct {
	*rand.Rand
	page   *exposition.Page
	groups []group
}

type group struct {
	instance, name string
	topics         []string
	partitions     []int
}

var partitionFamilies = []exposition.Family{
	{Name: "alikafka_topic_partition_newest_offset", Help: "Log end of the partition."},
	{Name: "alikafka_topic_partition_oldest_offset", Help: "Oldest offset that is still there."},
	{Name: "alikafka_consumer_group_partition_offset", Help: "Committed offset."},
	{Name: "alikafka_consumer_group_partition_lag_messages", Help: "Messages that the group has yet to consume."},
	{Name: "alikafka_consumer_group_partition_lag_seconds", Help: "Time that the oldest message had waited."},
	{Name: "alikafka_consumer_group_partition_retention_margin_messages", Help: "Committed less oldest offset."},
}

// newCloud publishes at least n series.
func newCloud(t testing.TB, n int) *cloud {
	t.Helper()
	c := &cloud{Rand: rand.New(rand.NewPCG(uint64(n), 5)), page: newPage(t, partitionFamilies...)}
	for series := 0; series < n; {
		g := group{instance: fmt.Sprintf("alikafka_pre-cn-%07x%03d", c.IntN(1<<28), len(c.groups)/100), name: "GID-" + c.name()}
		if len(c.groups)%100 > 0 {
			g.instance = c.groups[len(c.groups)-1].instance
		}
		for range 1 + c.IntN(10) {
			g.topics = append(g.topics, c.name())
			g.partitions = append(g.partitions, 12*(1+c.IntN(4)))
			series += len(partitionFamilies) * g.partitions[len(g.partitions)-1]
		}
		c.groups = append(c.groups, g)
		c.page.Publish(func(u *exposition.Update) { c.show(u, g) })
	}
	return c
}

func (c *cloud) name() string {
	vocabulary := strings.Fields("order payment user event click stream inventory audit log billing invoice search index mail notify cdc mysql shard retry dlq prod gray member cart sku price")
	words := make([]string, 2+c.IntN(3))
	for i := range words {
		words[i] = vocabulary[c.IntN(len(vocabulary))]
	}
	return strings.Join(words, "-._"[c.IntN(3):][:1]) + "-" + strconv.Itoa(c.IntN(100))
}

// show renders a group and sets its blocks.
func (c *cloud) show(u *exposition.Update, g group) {
	var pages [6][]byte
	base := exposition.Labels(nil).Append("account", "production").Append("consumer_group", g.name).Append("instance_id", g.instance)
	var labels exposition.Labels
	for i, topic := range g.topics {
		oldest := c.Int64N(2_000_000_000)
		for p := range g.partitions[i] {
			// Traffic is spread evenly, but not exactly.
			newest := oldest + 5_000_000 + c.Int64N(200_000)
			lag := max(0, c.Int64N(3000)-1500)
			labels = append(labels[:0], base...).Append("partition", strconv.Itoa(p)).Append("region_id", "cn-hangzhou").Append("topic", topic)
			for f, v := range []float64{float64(newest), float64(oldest), float64(newest - lag), float64(lag), float64(lag*7) / 1000, float64(newest - lag - oldest)} {
				pages[f] = exposition.AppendSample(pages[f], partitionFamilies[f].Name, labels, v)
			}
		}
	}
	for f := range pages {
		u.Set(f, g.instance, g.name, pages[f])
	}
}

// BenchmarkPublish replaces the blocks of a group of 1,000 lines on pages of
// different sizes: rendering, deflating, and putting in place.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			c := cloudOf(b, n)
			g := c.groups[len(c.groups)/2]
			g.topics, g.partitions = []string{"order-created"}, []int{1000 / len(partitionFamilies)}
			lines := g.partitions[0] * len(partitionFamilies)
			b.ReportAllocs()
			for b.Loop() {
				c.page.Publish(func(u *exposition.Update) { c.show(u, g) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
		})
	}
}

// BenchmarkPublishOfTheSame publishes what is there already.
func BenchmarkPublishOfTheSame(b *testing.B) {
	p := manyBlocks(b)
	lines := bytes.Repeat([]byte(`kafka_info{instance_id="alikafka_pre-cn-8ex3zxq2q001",topic="order-created-12"} 1`+"\n"), 1000)
	b.ReportAllocs()
	for b.Loop() {
		p.Publish(func(u *exposition.Update) { u.Set(0, "i1", "x", lines) })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/line")
}

// clouds are kept, since the larger ones take a while.
var clouds = map[int]*cloud{}

func cloudOf(b *testing.B, n int) *cloud {
	b.Helper()
	if clouds[n] == nil {
		clouds = map[int]*cloud{n: newCloud(b, n)}
	}
	return clouds[n]
}

// BenchmarkScrape scrapes a page and, in turn, http.FileServer with the same
// bytes in a file. The client is another process that reads and does nothing
// else. cpu is of the server's process.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			c := cloudOf(b, n)
			h := handlerOf(c.page, exposition.Options{})
			benchmarkAgainst(b, c.page.Size(), h, fileServer(b, h))
		})
	}
}

// BenchmarkScrapeOfSmallBlocks has a million series in blocks of ten.
func BenchmarkScrapeOfSmallBlocks(b *testing.B) {
	p := newPage(b, partitionFamilies...)
	fill(p, 1_000_000, 10)
	h := handlerOf(p, exposition.Options{})
	benchmarkAgainst(b, p.Size(), h, fileServer(b, h))
}

// BenchmarkScrapeWithOwnMetrics appends those of the Go runtime and of the
// process.
func BenchmarkScrapeWithOwnMetrics(b *testing.B) {
	c := cloudOf(b, 10_000)
	own := prometheus.NewRegistry()
	own.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h := handlerOf(c.page, exposition.Options{Own: own})
	benchmarkAgainst(b, c.page.Size(), h, fileServer(b, h))
}

// BenchmarkScrapeWhilePublishing replaces a group every 300 ms meanwhile.
func BenchmarkScrapeWhilePublishing(b *testing.B) {
	c := cloudOf(b, 1_000_000)
	h := handlerOf(c.page, exposition.Options{})
	ctx, stop := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			c.page.Publish(func(u *exposition.Update) { c.show(u, c.groups[n%len(c.groups)]) })
			pause(ctx, 300*time.Millisecond)
		}
	})
	benchmarkAgainst(b, c.page.Size(), h, fileServer(b, h))
	stop()
	wg.Wait()
}

// BenchmarkScrapeText is the same without gzip on either side.
func BenchmarkScrapeText(b *testing.B) {
	h := handlerOf(cloudOf(b, 100_000).page, exposition.Options{})
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		h.ServeHTTP(w, r)
	})
	benchmarkAgainst(b, clouds[100_000].page.Size(), plain, fileServer(b, plain))
}

// BenchmarkScrapeOfAnInstance has an instance's share of a million series.
func BenchmarkScrapeOfAnInstance(b *testing.B) {
	c := cloudOf(b, 1_000_000)
	h := handlerOf(c.page, exposition.Options{})
	one := instanceOf(h, c.groups[len(c.groups)/2].instance)
	size := exposition.Size{Series: strings.Count(text(b, one), "\n") - 2*len(partitionFamilies)}
	benchmarkAgainst(b, size, one, fileServer(b, one))
}

// BenchmarkClientGolang is what a scrape costs when samples are made into
// constant metrics.
func BenchmarkClientGolang(b *testing.B) {
	s := &sampler{families: partitionFamilies}
	for range partitionFamilies {
		s.names = append(s.names, []string{"account", "consumer_group", "instance_id", "partition", "region_id", "topic"})
	}
	c := &cloud{Rand: rand.New(rand.NewPCG(1, 5))}
	for n := range 30_000 {
		s.samples = append(s.samples, sample{family: n % 6, labels: []string{"production", c.name(), "alikafka_pre-cn-8ex3zxq2q001", strconv.Itoa(n), "cn-hangzhou", c.name()}, value: float64(c.Int64N(1e10))})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(s)
	srv := newServer(b, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	client := newReader(b)
	var spent measured
	for b.Loop() {
		spent.add(client, srv)
	}
	spent.report(b, len(s.samples))
}

// fileServer serves what h answers from a file in memory.
func fileServer(b *testing.B, h http.Handler) http.Handler {
	b.Helper()
	dir := b.TempDir()
	if shm, err := os.MkdirTemp("/dev/shm", "exposition"); err == nil { //nolint:usetesting // files in memory are what to compare with
		b.Cleanup(func() { os.RemoveAll(shm) })
		dir = shm
	}
	r := get(b, h, "/metrics", "Accept-Encoding", "gzip")
	page, err := io.ReadAll(r.Body)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "metrics"), page, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		if e := r.Header.Get("Content-Encoding"); e != "" {
			w.Header().Set("Content-Encoding", e)
		}
		files.ServeHTTP(w, req)
	})
}

// measured is what scrapes took.
type measured struct {
	wall  []time.Duration
	cpu   time.Duration
	bytes int64
}

func (m *measured) add(r *reader, srv *httptest.Server) {
	before := cpuTime()
	n, wall := r.read(srv.Listener.Addr().String())
	m.cpu += cpuTime() - before
	m.wall = append(m.wall, wall)
	m.bytes = n
}

// median of the scrapes.
func (m *measured) median() float64 {
	slices.Sort(m.wall)
	return float64(m.wall[len(m.wall)/2].Nanoseconds())
}

func (m *measured) report(b *testing.B, series int) {
	b.Helper()
	b.ReportMetric(m.median()/float64(series), "wall-ns/series")
	b.ReportMetric(float64(m.cpu.Nanoseconds())/float64(len(m.wall)*series), "cpu-ns/series")
	b.ReportMetric(float64(m.bytes)/float64(series), "B/series")
}

func benchmarkAgainst(b *testing.B, size exposition.Size, ours, file http.Handler) {
	b.Helper()
	pages, files := newServer(b, ours), newServer(b, file)
	client := newReader(b)
	var page, reference measured
	for b.Loop() {
		page.add(client, pages)
		reference.add(client, files)
	}
	page.report(b, size.Series)
	b.ReportMetric(page.median()/1e6, "wall-ms")
	b.ReportMetric(page.median()/reference.median(), "x-file-wall")
	b.ReportMetric(float64(page.cpu)/float64(reference.cpu), "x-file-cpu")
	if d := page.bytes - reference.bytes; d > 100_000 || d < -100_000 {
		b.Errorf("%d bytes, the file server has %d", page.bytes, reference.bytes)
	}
}

// BenchmarkMemory fills a page with a million series, in blocks of different
// sizes; the figures are of what stays on the heap.
func BenchmarkMemory(b *testing.B) {
	clouds = map[int]*cloud{}
	for _, lines := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			for b.Loop() {
				p := newPage(b, partitionFamilies...)
				before := heap()
				fill(p, 1_000_000, lines)
				grown, size := float64(heap()-before), p.Size()
				b.ReportMetric(grown/float64(size.Series), "B/series")
				b.ReportMetric(float64(size.Packed)/float64(size.Series), "packed-B/series")
				b.ReportMetric((grown-float64(size.Packed))/float64(size.Blocks), "overhead-B/block")
				b.ReportMetric(float64(size.Blocks), "blocks")
				runtime.KeepAlive(p)
			}
		})
	}
}

// fill publishes n series in blocks of that many lines.
func fill(p *exposition.Page, n, lines int) {
	c := &cloud{Rand: rand.New(rand.NewPCG(uint64(n), uint64(lines)))}
	instance, per := "", lines*len(partitionFamilies)
	for i := range n / per {
		if i%(200_000/per) == 0 {
			instance = fmt.Sprintf("alikafka_pre-cn-%07x%03d", c.IntN(1<<28), i)
		}
		g := group{instance: instance, name: fmt.Sprintf("%s-%d", c.name(), i), topics: []string{c.name()}, partitions: []int{lines}}
		p.Publish(func(u *exposition.Update) { c.show(u, g) })
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reader is a process that scrapes on demand.
type reader struct {
	b   *testing.B
	in  io.Writer
	out *bufio.Reader
}

// beReader makes this binary a reader.
const beReader = "EXPOSITION_TEST_READER"

func TestMain(m *testing.M) {
	if os.Getenv(beReader) != "" {
		readOnDemand(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// readOnDemand reads addresses and answers with the number of bytes and
// nanoseconds that a scrape took.
func readOnDemand(in io.Reader, out io.Writer) {
	buffer := make([]byte, 256<<10)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		conn, err := (&net.Dialer{}).Dial("tcp", lines.Text())
		if err != nil {
			fmt.Fprintln(out, "0 0")
			continue
		}
		start := time.Now()
		fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
		sum := 0
		for err == nil {
			var n int
			n, err = conn.Read(buffer)
			sum += n
		}
		fmt.Fprintln(out, sum, time.Since(start).Nanoseconds())
		conn.Close()
	}
}

func newReader(b *testing.B) *reader {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), beReader+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &reader{b, in, bufio.NewReader(out)}
}

func (r *reader) read(addr string) (n int64, wall time.Duration) {
	fmt.Fprintln(r.in, addr)
	if _, err := fmt.Fscanln(r.out, &n, &wall); err != nil || n == 0 {
		r.b.Fatal("the reader fails: ", err)
	}
	return n, wall
}
