package sim_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// Many callers, while limits, faults, keys and the world change under them.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{Limits: sim.Limits{Default: -1, PerSourceIP: -1}, Log: true})
	var callers sync.WaitGroup
	const n = 8
	each := short.Of(50)
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

// Writers and readers of the same instance, of what it is and of what it was.
func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	cloud, _ := unlimited(t, sim.Options{World: stocked(), ReadLag: time.Millisecond, FreshReads: 0.5, Delays: sim.Delays{CreateTopic: time.Millisecond, DeleteTopic: time.Millisecond}})
	var callers sync.WaitGroup
	const writers = 4
	each := short.Of(30)
	for i := range writers {
		callers.Go(func() {
			c := newClient(t, cloud)
			in := []string{"InstanceId", main}
			topic := []string{"InstanceId", main, "Topic", "topic-" + strconv.Itoa(i)}
			for n := range each {
				c.call("CreateTopic", append(topic, "Remark", "abc")...)
				c.call("ModifyPartitionNum", append(topic, "AddPartitionNum", "1")...)
				c.call("TagResources", "ResourceType", "TOPIC", "ResourceId.1", "Kafka_"+main+"_orders", "Tag.1.Key", "k"+strconv.Itoa(i), "Tag.1.Value", strconv.Itoa(n))
				c.call("UpdateAllowedIp", append(in, "UpdateType", []string{"add", "delete"}[n%2], "PortRange", "9092/9092", "AllowedListType", "vpc", "AllowedListIp", "192.168."+strconv.Itoa(i)+".0/24")...)
				c.call("UpdateConsumerOffset", append(in, "ConsumerId", "nightly", "Topic", "orders", "Time", "-1")...)
				c.call("CreateSaslUser", append(in, "Username", "u"+strconv.Itoa(i), "Password", "p")...)
				c.call("CreatePostPayOrder", "TopicQuota", "50", "DiskType", "0", "DiskSize", "500", "DeployType", "5", "IoMax", "30")
				c.call("DeleteTopic", topic...)
			}
		})
		callers.Go(func() {
			c := newClient(t, cloud)
			for range each {
				c.call("GetInstanceList")
				c.call("GetAllowedIpList", "InstanceId", main)
				c.call("GetTopicList", "InstanceId", main)
				c.call("GetConsumerProgress", "InstanceId", main, "ConsumerId", "nightly")
				c.call("ListTagResources", "ResourceType", "TOPIC", "Tag.1.Key", "k0")
				cloud.Effects(sim.Match{Action: "CreateTopic"})
				cloud.World()
				cloud.TrueLag("own", main, "billing", "orders", 0)
			}
		})
	}
	callers.Wait()
	if got := cloud.Effects(sim.Match{Action: "CreatePostPayOrder"}); len(got) != writers*each {
		t.Errorf("%d orders", len(got))
	}
}

// A day of polling leaves no nonce behind that is old enough to forget, and
// costs no real time. The cloud remembers the nonces of two half hours at most,
// and a half hour has at most 31 calls that are a minute apart.
func TestDayOfPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{Story: "calm", Latency: 20 * time.Millisecond})
		c := newClient(t, cloud)
		for range short.Of(24 * 60) {
			c.call("GetConsumerProgress", "InstanceId", stage, "ConsumerId", "billing")
			time.Sleep(time.Minute)
		}
		if n := sim.Nonces(cloud); n > 2*31 {
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
