package sim_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// Many callers, while limits, faults, keys and the world change under them.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{Limits: sim.Limits{Default: -1, PerSourceIP: -1}, Log: true})
	var callers sync.WaitGroup
	const n, each = 8, 50
	for i := range n {
		callers.Go(func() {
			c := newClient(t, cloud)
			for range each {
				c.call("GetConsumerProgress", "InstanceId", trade, "ConsumerId", "risk-control")
				c.call("GetTopicList", "InstanceId", trade)
				if i == 0 {
					cloud.SetFault(sim.Match{Action: "GetQuotaTip"}, sim.Fault{Kind: sim.Refuse})()
					cloud.SetLimit("GetQuotaTip", 4)
				}
			}
		})
	}
	callers.Go(func() {
		in := sim.Ref{Account: "demo", Instance: trade}
		for i := range each {
			topic, group := in, in
			topic.Topic, group.Group = "t"+strconv.Itoa(i), "risk-control"
			if err := cloud.AddTopic(in, sim.Topic{Name: topic.Topic, Rate: 5}); err != nil {
				t.Error(err)
			}
			if err := cloud.Pause(group); err != nil {
				t.Error(err)
			}
			if err := cloud.AddPartitions(topic, 2); err != nil {
				t.Error(err)
			}
			if err := cloud.Remove(topic); err != nil {
				t.Error(err)
			}
			cloud.TrueLag("demo", trade, "risk-control", "orders", 0)
			cloud.Calls(sim.Match{})
			cloud.World()
		}
	})
	callers.Wait()
	if got := cloud.Calls(sim.Match{Account: "demo"}); got.Calls != 2*n*each || len(cloud.Log()) != got.Calls {
		t.Errorf("counted %d, logged %d", got.Calls, len(cloud.Log()))
	}
}

// A day of polling leaves no nonce behind that is old enough to forget, and
// costs no real time.
func TestDayOfPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{Story: "calm", Latency: 20 * time.Millisecond})
		c := newClient(t, cloud)
		for range 24 * 60 {
			c.call("GetConsumerProgress", "InstanceId", stage, "ConsumerId", "billing")
			time.Sleep(time.Minute)
		}
		if n := sim.Nonces(cloud); n > 61 {
			t.Errorf("%d nonces remembered", n)
		}
	})
}

// The cloud refuses exactly what the table of package api calls required.
func TestRequiredParameters(t *testing.T) {
	t.Parallel()
	_, c := unlimited(t, sim.Options{World: oneOfEach()})
	for _, call := range everyRead {
		row, ok := api.Lookup(call[0])
		if !ok {
			t.Fatalf("%s is not in the table", call[0])
		}
		for _, p := range row.Params {
			if !p.Required {
				continue
			}
			_, body := c.call(call[0], append(append([]string{}, call[1:]...), p.Name, "-")...)
			if e := decodeError(t, body); e.Code != "MissingParameter" {
				t.Errorf("%s without %s: %+v", call[0], p.Name, e)
			}
		}
	}
}
