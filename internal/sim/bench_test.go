package sim_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// One call, signature verification included, the making of the request not.
func BenchmarkCall(b *testing.B) {
	cloud, err := sim.New(sim.Options{Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		b.Fatal(err)
	}
	c := newClient(b, cloud)
	for _, call := range [][]string{
		{"GetConsumerProgress", "ConsumerId", "payment-settlement"}, // 12 partitions
		{"GetConsumerProgress", "ConsumerId", "risk-control"},       // 36
		{"GetTopicStatus", "Topic", "orders"},                       // 24
		{"GetTopicStatus", "Topic", "coupons"},                      // 3
		{"GetTopicList"},
		{"GetConsumerList"},
		{"GetInstanceList"},
		{"GetTopicStatus", "Topic", "orders", "Signature", "wrong"},
	} {
		name := call[0]
		if len(call) > 2 {
			name += "/" + call[len(call)-1]
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var requests []*http.Request
			for b.Loop() {
				if len(requests) == 0 {
					b.StopTimer()
					for range 500 {
						requests = append(requests, c.request(b.Context(), c.params(call[0], append([]string{"InstanceId", trade}, call[1:]...)...)))
					}
					b.StartTimer()
				}
				r := requests[0]
				requests = requests[1:]
				resp, err := cloud.RoundTrip(r)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
