package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// pollEvery is how often offsets are read while a world is being loaded;
// after that the rate limit decides.
const pollEvery = 5 * time.Second

// offsetSources are the sources that are read by topic and by group.
func offsetSources() []string { return []string{"topic_status", "consumer_group_progress"} }

// loading are limits that let a world be read in no time.
func loading() api.RateLimits {
	return api.RateLimits{Share: 1, Scope: "account", Default: 1000, PerSourceIP: 5000}
}

// measuring are the limits of the real cloud where all of them is used: every
// 300 ms the section of a group and that of a topic is replaced.
func measuring() api.RateLimits {
	return api.RateLimits{Share: 1, Scope: "account", Default: 3.5, PerSourceIP: 100} // less a guard of 5 %
}

// exporter is the real program on a simulated cloud.
type exporter struct {
	*process

	url    string
	config string // its file
	cloud  string
	size   size
}

// startExporter starts the program as it is delivered.
func startExporter(ctx context.Context, o options, dir, cloud string, s size) (*exporter, error) {
	e := &exporter{config: filepath.Join(dir, fmt.Sprintf("exporter-%d.yaml", s.series())), cloud: cloud, size: s}
	if err := e.configure(loading()); err != nil {
		return nil, err
	}
	var err error
	e.process, err = start(ctx, o.exporter, "serve", "--config.file="+e.config, "--web.listen-address=127.0.0.1:0", "--web.enable-pprof", "--log.level=info")
	if err != nil {
		return nil, err
	}
	m, err := e.wait(`msg="Listening on" address=(127\.0\.0\.1:[0-9]+)`)
	if err != nil {
		e.stop()
		return nil, err
	}
	e.url = "http://" + m[1]
	return e, nil
}

// configure writes the configuration with these limits.
func (e *exporter) configure(l api.RateLimits) error {
	var b strings.Builder
	fmt.Fprintf(&b, "accounts:\n  - name: main\n    credentials: {access_key_id: testid, access_key_secret: testsecret}\n    regions: [%s]\n    endpoints:\n", strings.Join(regions(), ", "))
	for _, r := range regions() {
		fmt.Fprintf(&b, "      %s: %s\n", r, e.cloud)
	}
	b.WriteString("collect:\n  owner_info: true\n  sources:\n")
	for _, s := range []string{"regions", "instances", "quota", "allowed_ips", "topics", "consumer_groups"} {
		fmt.Fprintf(&b, "    %s: {ttl: 1d}\n", s)
	}
	for _, s := range offsetSources() {
		fmt.Fprintf(&b, "    %s: {interval: %s, ttl: 1d}\n", s, pollEvery)
	}
	fmt.Fprintf(&b, "rate_limits: {share: %g, scope: %s, default: %g, per_source_ip: %g}\n", l.Share, l.Scope, l.Default, l.PerSourceIP)
	return os.WriteFile(e.config, []byte(b.String()), 0o600)
}

// calmDown makes the program poll as in production, by a reload.
func (e *exporter) calmDown() error {
	if err := e.configure(measuring()); err != nil {
		return err
	}
	if err := e.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	_, err := e.wait(`msg="configuration reloaded"`)
	return err
}

// loaded waits until everything was read twice, which shows in all partitions
// being there and the number of lines not changing any more.
func (e *exporter) loaded(ctx context.Context) error {
	const partitions = "/metrics?name[]=alikafka_consumer_group_partition_lag_messages&name[]=alikafka_topic_partition_newest_offset&name[]=alikafka_topic_partition_oldest_offset"
	limit := time.After(5 * time.Minute)
	for before := 0; ; {
		if n, err := countLines(ctx, e.url+partitions); err != nil {
			return err
		} else if n == e.size.committed+e.size.newest+e.size.oldest {
			all, err := countLines(ctx, e.url+"/metrics")
			if err != nil || all == before {
				return err
			}
			before = all
		}
		select {
		case <-time.After(pollEvery + time.Second):
		case <-limit:
			return errors.New("the world was not read within five minutes")
		case <-e.Done:
			return errors.New("the exporter ended")
		}
	}
}

// countLines counts the samples of ours on a page.
func countLines(ctx context.Context, url string) (int, error) {
	body, _, err := fetch(ctx, url)
	if err != nil {
		return 0, err
	}
	return countSamples(body)
}

// countSamples counts the samples whose names begin like ours in a deflated
// page.
func countSamples(page []byte) (int, error) {
	z, err := gzip.NewReader(bytes.NewReader(page))
	if err != nil {
		return 0, err
	}
	lines, n := bufio.NewReaderSize(z, 1<<20), 0
	for {
		line, err := lines.ReadSlice('\n')
		if bytes.HasPrefix(line, []byte("alikafka_")) {
			n++
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, err
		}
	}
}

// client leaves codings alone.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 2 * time.Minute}
}

const acceptText = "text/plain;version=0.0.4"

// fetch reads a page deflated, in the text format.
func fetch(ctx context.Context, url string) (body []byte, header http.Header, err error) {
	return fetchAs(ctx, url, acceptText)
}

func fetchAs(ctx context.Context, url, accept string) (body []byte, header http.Header, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", "gzip")
	client := newClient()
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.300s", url, answer.Status, body)
	}
	return body, answer.Header, err
}
