package sim

import (
	"maps"
	"slices"
	"time"
)

// story is a world that can be asked for by name, with the faults that belong
// to it.
type story struct {
	world func() World
	fault func(*Call) *Fault
}

// stories are the worlds by name; docs/simulator.md tells them. All but lively
// have one small instance.
var stories = map[string]story{
	"lively":          {lively, storms(10*time.Minute, 30*time.Second, 0.3)},
	"calm":            {stage(Scene{}), nil},
	"storm":           {stage(Scene{}), storms(time.Minute, 40*time.Second, 0.6)},
	"stall":           {stage(Stall(20*time.Second, 3*time.Minute, 2*time.Minute)), nil},
	"stop":            {stage(Stop(20*time.Second, 4*time.Minute, 2*time.Minute)), nil},
	"dead":            {stage(dead(20 * time.Second)), nil},
	"rewind":          {stage(Rewind(30*time.Second, 30*time.Minute, 6*time.Minute)), nil},
	"catchup":         {stage(Rewind(0, time.Hour, 8*time.Minute)), nil},
	"slow":            {stage(Sway(0, 5*time.Minute, 4*time.Minute, 3*time.Minute)), nil},
	"stuck":           {stage(stuck(2, 20*time.Second, 6*time.Minute, time.Minute)), nil},
	"partition-bound": {stageWith(partitionBound), nil},
	"locked-out":      {stageWith(lockedOut), nil},
	"expiring":        {stageWith(func(in *Instance) { in.ExpiresIn = 5 * day }), nil},
	"open-whitelist":  {stageWith(func(in *Instance) { in.Allowed = append(in.Allowed, openToAll()) }), nil},
	"unread-topic":    {stageWith(func(in *Instance) { in.Topics = append(in.Topics, Topic{Name: "unread", Rate: 5}) }), nil},
}

// Stories returns the names of the stories.
func Stories() []string { return slices.Sorted(maps.Keys(stories)) }

// storms throttles a share of calls for the last part of every period.
func storms(period, length time.Duration, share float64) func(*Call) *Fault {
	return func(c *Call) *Fault {
		if c.since%period >= period-length && c.roll("storm") < share {
			return Throttle()
		}
		return nil
	}
}

// stage is a small world in which one group, billing, plays a scene and
// another, shipping, is healthy.
func stage(s Scene) func() World {
	return stageWith(func(in *Instance) { in.Groups[0].Scene = s })
}

// stageWith is a small world with one change.
func stageWith(change func(*Instance)) func() World {
	return func() World {
		in := Instance{
			ID: "alikafka_pre-cn-zvp2stage001", Name: "stage", RegionID: "cn-hangzhou", DeployType: 4,
			Allowed: []AllowedIPs{{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16"}}},
			Topics:  []Topic{{Name: "orders", Partitions: 6, Rate: 50}, {Name: "invoices", Partitions: 3, Rate: 5}},
			Groups: []Group{
				{Name: "billing", Members: 3, Subscriptions: []Subscription{{Topic: "orders"}, {Topic: "invoices"}}},
				{Name: "shipping", Subscriptions: []Subscription{{Topic: "orders"}}},
			},
		}
		change(&in)
		return World{Accounts: []Account{{Name: "demo", Instances: []Instance{in}}}}
	}
}

// openToAll is a whitelist that lets the whole internet in.
func openToAll() AllowedIPs {
	return AllowedIPs{Internet: true, PortRange: "9093/9093", IPs: []string{"0.0.0.0/0"}}
}

// Stall is a group whose members stay but stop consuming at a time of the
// period, and then catch up.
func Stall(at, still, catchUp time.Duration) Scene {
	return Scene{Knots: standstill(at, still, catchUp)}
}

// Stop is a group whose members vanish for a while, come back and catch up.
func Stop(at, gone, catchUp time.Duration) Scene {
	return Scene{Knots: standstill(at, gone, catchUp), Absent: []Span{{at, at + gone}}}
}

// Rewind is a group that jumps back by so much and catches up.
func Rewind(at, by, catchUp time.Duration) Scene {
	return Scene{
		Knots:      []Knot{{at, by}, {at + catchUp, 0}},
		Rebalances: []time.Duration{at},
	}
}

// Sway is a group that is too slow for a while, falls behind by so much and
// catches up.
func Sway(at, slow, by, catchUp time.Duration) Scene {
	return Scene{Knots: []Knot{{at, 0}, {at + slow, by}, {at + slow + catchUp, 0}}}
}

// dead is a group whose members vanish for good.
func dead(at time.Duration) Scene {
	const long = 3650 * day
	s := Stop(at, long, day)
	s.Period = long + 2*day
	return s
}

// partitionBound has more produced to a topic that was opted in to scaling
// than three members can consume, and no partitions for the three others.
func partitionBound(in *Instance) {
	in.Topics[0] = Topic{
		Name: "orders", Partitions: 3, Rate: 120, Shape: Steady, Tags: []Tag{{"alikafka-exporter-scale", "true"}},
	}
	in.Groups[0] = Group{
		Name: "billing", Members: 6, MemberRate: 32, CommitEvery: time.Second, Subscriptions: []Subscription{{Topic: "orders"}},
	}
}

// lockedOut has a group that connects from a network which the whitelist lacks.
func lockedOut(in *Instance) {
	in.Groups[0].Name, in.Groups[0].Address = "edge-billing", "10.20.30.10"
}

// stuck is a group that stands still on one partition.
func stuck(partition int, at, still, catchUp time.Duration) Scene {
	return Scene{Knots: standstill(at, still, catchUp), Partitions: []int{partition}}
}

func standstill(at, still, catchUp time.Duration) []Knot {
	return []Knot{{at, 0}, {at + still, still}, {at + still + catchUp, 0}}
}
