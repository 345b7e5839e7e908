package collector_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// witness notes, at the moment at which the cloud looks, how far a group
// really is behind. The way there and back takes a random time.
type witness struct {
	cloud *sim.Cloud

	mu     sync.Mutex
	random *rand.Rand
	truth  map[string]func(topic string, partition int) float64 // by instance and group
}

func (w *witness) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.IntN(4000)) * time.Millisecond
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	<-time.After(w.delay())
	resp, err := w.cloud.RoundTrip(r)
	if form.Get("Action") == "GetConsumerProgress" {
		w.note(form.Get("InstanceId"), form.Get("ConsumerId"))
	}
	<-time.After(w.delay())
	return resp, err
}

// note remembers the truth about a group now.
func (w *witness) note(instance, group string) {
	seconds := map[string]float64{}
	for _, a := range w.cloud.World().Accounts {
		for _, i := range a.Instances {
			for _, t := range i.Topics {
				for p := range t.Partitions {
					if _, s, ok := w.cloud.TrueLag(a.Name, instance, group, t.Name, p); ok && i.ID == instance {
						seconds[fmt.Sprint(t.Name, "/", p)] = s
					}
				}
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.truth[instance+"/"+group] = func(topic string, partition int) float64 { return seconds[fmt.Sprint(topic, "/", partition)] }
}

// TestBoundsOfLagAreOnTheirSideOfTheTruth runs the demo's cloud, which stalls,
// stops, rewinds and idles, and compares each poll's seconds with the truth at
// the moment at which the cloud looked.
func TestBoundsOfLagAreOnTheirSideOfTheTruth(t *testing.T) {
	t.Parallel()
	for _, hide := range []bool{false, true} {
		t.Run(fmt.Sprintf("hide_last_timestamp %t", hide), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &witness{
					cloud: newCloud(t, sim.Options{Story: "lively", Keys: map[string]string{"testid": "testsecret"}}), random: rand.New(rand.NewPCG(1, 2)),
					truth: map[string]func(string, int) float64{},
				}
				s := defaults("cn-hangzhou")
				s.config.HideLastTimestamp = hide
				e := start(t, s, w)
				defer background(t, e)()
				checked := map[string]time.Time{}
				counts := map[collector.LagMethod]int{}
				for range 900 { // a quarter of an hour, by the second
					<-time.After(time.Second)
					synctest.Wait()
					w.check(t, e, checked, counts)
				}
				t.Logf("%d upper bounds, %d lower bounds", counts[collector.LagAtMost], counts[collector.LagAtLeast])
				if counts[collector.LagAtMost] < 100 || hide && counts[collector.LagAtLeast] < 20 {
					t.Errorf("too little to compare: %v", counts)
				}
			})
		})
	}
}

// check compares what was polled since the last check.
func (w *witness) check(t *testing.T, e exporter, checked map[string]time.Time, counts map[collector.LagMethod]int) {
	t.Helper()
	const slack = 0.01 // timestamps are in milliseconds
	for _, i := range e.Snapshot().Instances {
		for _, g := range i.Groups {
			key := i.ID + "/" + g.Name()
			w.mu.Lock()
			truth := w.truth[key]
			w.mu.Unlock()
			if truth == nil || checked[key].Equal(g.Progress.At) {
				continue
			}
			checked[key] = g.Progress.At
			for _, topic := range g.Progress.Data.Topics {
				for _, p := range topic.Partitions {
					is := truth(topic.Topic, int(p.Partition))
					counts[p.Method]++
					if p.Method == collector.LagAtMost && p.Seconds < is-slack || p.Method == collector.LagAtLeast && p.Seconds > is+slack {
						t.Errorf("%s %s/%d: method %d says %.3f s, it is %.3f s", key, topic.Topic, p.Partition, p.Method, p.Seconds, is)
					}
				}
			}
		}
	}
}
