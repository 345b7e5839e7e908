package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// GenerateOptions sizes a generated world. Zero fields mean one, but for
// ActiveRatio, where it means all, and Rate, where it means ten.
type GenerateOptions struct {
	Account            string   // default demo
	Regions            []string // instances are dealt out to them; default cn-hangzhou
	Instances          int
	TopicsPerInstance  int
	PartitionsPerTopic int
	GroupsPerInstance  int
	TopicsPerGroup     int
	ActiveRatio        float64 // share of topics that are produced to; negative means none
	Rate               float64 // mean messages per second of an active topic
}

// Generate returns a world with one account of that size, the same for the
// same seed.
func Generate(o GenerateOptions, seed uint64) World {
	orElse(&o.Account, "demo")
	for _, n := range []*int{&o.Instances, &o.TopicsPerInstance, &o.PartitionsPerTopic, &o.GroupsPerInstance, &o.TopicsPerGroup} {
		orElse(n, 1)
	}
	orElse(&o.ActiveRatio, 1)
	orElse(&o.Rate, 10)
	if len(o.Regions) == 0 {
		o.Regions = []string{"cn-hangzhou"}
	}
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a simulation needs repetition, not secrecy
	a := Account{Name: o.Account}
	for i := range o.Instances {
		in := Instance{
			ID:             fmt.Sprintf("alikafka_post-cn-gen%06d", i+1),
			Name:           fmt.Sprintf("generated-%d", i+1),
			RegionID:       o.Regions[i%len(o.Regions)],
			PaidType:       1,
			TopicLimit:     int64(o.TopicsPerInstance) * 2,
			PartitionLimit: int64(o.TopicsPerInstance*o.PartitionsPerTopic) * 2,
			GroupLimit:     int64(o.GroupsPerInstance) * 2,
			Allowed:        []AllowedIPs{{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16"}}},
		}
		for t := range o.TopicsPerInstance {
			in.Topics = append(in.Topics, o.topic(t, random))
		}
		for g := range o.GroupsPerInstance {
			in.Groups = append(in.Groups, o.group(g, in.Topics, random))
		}
		a.Instances = append(a.Instances, in)
	}
	return World{Accounts: []Account{a}}
}

func (o GenerateOptions) topic(n int, random *rand.Rand) Topic {
	t := Topic{Name: fmt.Sprintf("topic-%04d", n+1), Partitions: o.PartitionsPerTopic}
	if random.Float64() < o.ActiveRatio {
		t.Rate = o.Rate * (0.2 + 1.6*random.Float64())
		t.Shape = [...]Shape{Wave, Wave, Steady, Bursts}[random.IntN(4)]
	}
	return t
}

func (o GenerateOptions) group(n int, topics []Topic, random *rand.Rand) Group {
	g := Group{Name: fmt.Sprintf("group-%04d", n+1), Members: 1 + random.IntN(4)}
	read := random.Perm(len(topics))[:min(o.TopicsPerGroup, len(topics))]
	slices.Sort(read)
	for _, t := range read {
		g.Subscriptions = append(g.Subscriptions, Subscription{
			Topic: topics[t].Name,
			Delay: time.Duration(50+random.IntN(2000)) * time.Millisecond,
		})
	}
	return g
}
