package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// regions of the worlds that are measured.
func regions() []string { return []string{"cn-hangzhou", "cn-shanghai", "cn-beijing"} }

// size is what a world has, and how many series of its partitions the
// exporter must show before it may be measured.
type size struct {
	instances, topics, partitions, groups  int
	newest, oldest, committed, owned, rest int
}

func (s *size) series() int { return s.newest + s.oldest + 3*s.committed + s.owned + s.rest }

// add counts the series of an instance.
func (s *size) add(in sim.Instance) {
	s.instances++
	s.rest += 44 // of an instance as such
	partitions := map[string]int{}
	for _, t := range in.Topics {
		partitions[t.Name] = t.Partitions
		s.topics++
		s.partitions += t.Partitions
		s.newest += t.Partitions
		s.oldest += t.Partitions
		s.rest += 6
	}
	for _, g := range in.Groups {
		s.groups++
		s.rest += 4
		for _, sub := range g.Subscriptions {
			s.committed += partitions[sub.Topic]
			s.rest += 5
			if !g.Offline && sub.Left == 0 {
				s.owned += partitions[sub.Topic]
			}
		}
	}
}

// newWorld returns a world of about so many series, the same for the same
// number.
func newWorld(series int) (sim.World, size) {
	n := namer{rand.New(rand.NewPCG(uint64(series), 3)), map[string]bool{}} //nolint:gosec // repeatable, not secret
	a := sim.Account{Name: "main"}
	var s size
	for s.series() < series {
		topics := 10 + n.IntN(60)
		// A topic comes to some 218 series with its partitions and groups.
		if left := (series - s.series()) / 218; left < topics+10 {
			topics = max(1, left)
		}
		in := n.instance(len(a.Instances), topics)
		s.add(in)
		a.Instances = append(a.Instances, in)
	}
	return sim.World{Accounts: []sim.Account{a}}, s
}

// namer makes up what exists, with the names that people give.
type namer struct {
	*rand.Rand

	taken map[string]bool
}

func (n namer) instance(number, topics int) sim.Instance {
	rs := regions()
	in := sim.Instance{
		ID:             fmt.Sprintf("alikafka_post-cn-%s%04d", n.letters(8), number),
		Name:           n.of("trade", "logistics", "member", "risk", "data-platform", "iot-gateway", "ads") + "-" + n.of("prod", "pre", "gray") + fmt.Sprint("-", number),
		RegionID:       rs[number%len(rs)],
		PaidType:       int64(n.IntN(2)),
		TopicLimit:     500,
		PartitionLimit: 20000,
		GroupLimit:     2000,
		Allowed:        []sim.AllowedIPs{{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16", "10.0.0.0/8"}}},
	}
	for range topics {
		in.Topics = append(in.Topics, n.topic())
	}
	// Every topic is read by about two groups, every group reads one to six.
	readings := append(n.Perm(topics), n.Perm(topics)...)
	for len(readings) > 0 {
		k := min(1+n.IntN(6), len(readings))
		in.Groups = append(in.Groups, n.group(in.Topics, readings[:k]))
		readings = readings[k:]
	}
	return in
}

func (n namer) topic() sim.Topic {
	t := sim.Topic{
		Name: n.unique(func() string {
			return n.of("trade", "ods", "dwd", "binlog", "payment", "inventory", "user", "logistics", "risk", "im") + n.of(".", "_", "-") +
				n.of("order", "refund", "coupon", "sku_stock", "shipment", "login", "session", "wallet_account", "clickstream", "address") + n.of(".", "_", "-") +
				n.of("created", "status_changed", "snapshot", "audit_log", "delayed", "enriched", "cdc", "dlq", "retry", "hourly_aggregate")
		}),
		Partitions: []int{6, 12, 12, 12, 24, 24, 36, 48}[n.IntN(8)],
		Rate:       math.Exp(n.Float64() * math.Log(5000)), // 1 to 5000 messages a second
		Shape:      []sim.Shape{sim.Wave, sim.Wave, sim.Steady, sim.Bursts}[n.IntN(4)],
		Age:        time.Duration(20+n.IntN(700)) * 24 * time.Hour,
		Compact:    n.IntN(20) == 0,
	}
	if n.IntN(25) == 0 {
		t.Quiet = 48 * time.Hour
	}
	return t
}

func (n namer) group(topics []sim.Topic, read []int) sim.Group {
	g := sim.Group{
		Name: n.unique(func() string {
			return n.of("GID_", "cg-", "flink-", "") +
				n.of("settlement", "risk_scoring", "warehouse_sync", "search-indexer", "notification", "recommendation", "billing", "fraud-detection", "realtime_dashboard", "archiver") +
				n.of("-", "_") + n.of("prod", "canary", "v2", "backfill", "cn-east", "svc")
		}),
		Members: 1 + n.IntN(16),
		Offline: n.IntN(30) == 0,
	}
	seen := map[int]bool{}
	for _, t := range read {
		if seen[t] {
			continue
		}
		seen[t] = true
		// From 50 ms to an hour behind.
		s := sim.Subscription{Topic: topics[t].Name, Delay: time.Duration(50*math.Exp(n.Float64()*math.Log(72000))) * time.Millisecond}
		g.Subscriptions = append(g.Subscriptions, s)
	}
	return g
}

func (n namer) of(words ...string) string { return words[n.IntN(len(words))] }

func (n namer) letters(count int) string {
	b := make([]byte, count)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[n.IntN(36)]
	}
	return string(b)
}

// unique appends a number to a name that exists.
func (n namer) unique(name func() string) string {
	s := name()
	for i := 2; n.taken[s]; i++ {
		s = fmt.Sprintf("%s_%d", strings.TrimRight(s, "_0123456789"), i+n.IntN(1000))
	}
	n.taken[s] = true
	return s
}
