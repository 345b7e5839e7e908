package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Ref names a thing in the cloud: an instance, or a topic or a consumer group
// of it, or both.
type Ref struct{ Account, Instance, Topic, Group string }

// ErrNotFound is the error of a [Ref] that leads nowhere.
var ErrNotFound = errors.New("sim: not found")

// editAccount calls f on an account, alone with the state as it is now.
func (c *Cloud) editAccount(name string, f func(a *account, now time.Duration) error) error {
	now := c.lock()
	defer c.mu.Unlock()
	a := c.account(name)
	if a == nil {
		return fmt.Errorf("%w: account %s", ErrNotFound, name)
	}
	return f(a, now)
}

// edit is editAccount for the instance of ref.
func (c *Cloud) edit(ref Ref, f func(in *instance, now time.Duration) error) error {
	return c.editAccount(ref.Account, func(a *account, now time.Duration) error {
		in := a.instance(ref.Instance)
		if in == nil {
			return fmt.Errorf("%w: instance %s", ErrNotFound, ref.Instance)
		}
		return f(in, now)
	})
}

// AddInstance makes an instance at run time.
func (c *Cloud) AddInstance(accountName string, w Instance) error {
	return c.editAccount(accountName, func(a *account, now time.Duration) error { return c.addInstance(a, w, now) })
}

// SetStatus gives an instance another ServiceStatus, or [Undeployed] or
// [Stopped], and ends what was being done to it. Clients lose a stopped instance, and have one that
// is in service.
func (c *Cloud) SetStatus(ref Ref, status int64) error {
	if status < Stopped {
		return fmt.Errorf("sim: no such status of an instance: %d", status)
	}
	return c.edit(ref, func(in *instance, now time.Duration) error {
		in.task++
		in.busy, in.view, in.Status = "", derived, max(0, status)
		switch status {
		case inService:
			in.start(now)
		case Stopped:
			in.Status, in.view = expired, viewStopped
			in.stop(now)
		}
		return nil
	})
}

// SetBalance changes how much money an account has, see [Account].
func (c *Cloud) SetBalance(accountName string, balance float64) error {
	return c.editAccount(accountName, func(a *account, _ time.Duration) error {
		a.Balance = balance
		return nil
	})
}

// AddTopic makes a topic at run time; an Age of zero means now.
func (c *Cloud) AddTopic(ref Ref, w Topic) error {
	return c.edit(ref, func(in *instance, now time.Duration) error { return c.addTopic(in, w, now) })
}

// AddGroup makes a consumer group at run time. An Age of zero means now,
// which does not matter to its offsets.
func (c *Cloud) AddGroup(ref Ref, w Group) error {
	return c.edit(ref, func(in *instance, now time.Duration) error { return c.addGroup(in, w, now) })
}

// Remove deletes what ref names: a topic with all that groups committed of it,
// a group, or with neither of them named the instance.
func (c *Cloud) Remove(ref Ref) error {
	return c.edit(ref, func(in *instance, _ time.Duration) error {
		switch t, g := in.byTopic[ref.Topic], in.byGroup[ref.Group]; {
		case ref.Topic != "" && t != nil:
			in.removeTopic(t)
		case ref.Topic == "" && g != nil:
			in.removeGroup(g)
		case ref.Topic == "" && ref.Group == "":
			c.removeInstance(in)
		default:
			return fmt.Errorf("%w: %+v", ErrNotFound, ref)
		}
		return nil
	})
}

func (c *Cloud) removeInstance(in *instance) {
	a := c.owners[in.ID]
	delete(c.owners, in.ID)
	a.instances = without(a.instances, in)
}

func (in *instance) removeGroup(g *group) {
	delete(in.byGroup, g.Name)
	in.groups = without(in.groups, g)
}

func (in *instance) removeTopic(t *topic) {
	in.former[t.Name] = t.Partitions
	delete(in.byTopic, t.Name)
	in.topics = without(in.topics, t)
	for _, g := range in.groups {
		g.subscriptions = slices.DeleteFunc(slices.Clone(g.subscriptions), func(s *subscription) bool { return s.topic == t })
	}
}

// without returns list without item, in a new array.
func without[T comparable](list []T, item T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return x == item })
}

// AddPartitions gives a topic n more partitions. Producers use them at once.
func (c *Cloud) AddPartitions(ref Ref, n int) error {
	return c.edit(ref, func(in *instance, now time.Duration) error {
		t := in.byTopic[ref.Topic]
		if t == nil || n < 1 {
			return fmt.Errorf("%w: topic %s, %d partitions", ErrNotFound, ref.Topic, n)
		}
		c.grow(in, t, n, now)
		return nil
	})
}

// grow gives a topic n more partitions at a time. Its groups share them out.
func (c *Cloud) grow(in *instance, t *topic, n int, now time.Duration) {
	last := &t.eras[len(t.eras)-1]
	next := era{from: now, sum: t.total(now)}
	for p := range last.base {
		next.base = append(next.base, last.base[p]+last.weight[p]*(next.sum-last.sum))
	}
	next.base = append(next.base, make([]float64, n)...)
	t.Partitions += n
	next.weight = c.weights(in.ID, t)
	t.eras = append(t.eras, next)
	for _, g := range in.groups {
		switch s := g.subscription(t); {
		case s == nil:
		case g.Offline || g.out != 0:
			g.await(s, t.Partitions-n, now)
		case len(g.online(now)) > 0:
			g.rebalanced(now, "topic has more partitions")
			g.repace(now)
		}
	}
}

// SetMembers changes how many members of a group are online; 0 sends all
// away. What is consumed changes only where members have a rate, see
// [Cloud.Pause].
func (c *Cloud) SetMembers(ref Ref, n int) error {
	return c.edit(ref, func(in *instance, now time.Duration) error {
		g := in.byGroup[ref.Group]
		if g == nil || n < 0 {
			return fmt.Errorf("%w: consumer group %s, %d members", ErrNotFound, ref.Group, n)
		}
		reason := "member joined the group"
		if n < len(g.clients) {
			reason = "member left the group"
		}
		g.Offline, g.clients = n == 0, g.members(in.ID, n)
		g.rebalanced(now, reason)
		g.repace(now)
		g.wake(now)
		return nil
	})
}

// wake lets a group that has members go on from where it waited for them.
func (g *group) wake(now time.Duration) {
	if g.Offline || g.out != 0 {
		return
	}
	for _, s := range g.subscriptions {
		for p, b := range s.bends {
			if b.waits {
				delete(s.bends, p)
				next := *b
				next.wake(now, g.position(s, p, now))
				s.bends[p] = &next
			}
		}
	}
}

// Pause makes a group stand still from now on, on one topic or, with an empty
// Topic, on all.
func (c *Cloud) Pause(ref Ref) error { return c.Resume(ref, 0) }

// Resume lets a group go on from where it stands, at a multiple of the speed
// of production: at 1 its lag stays, above 1 it catches up with where it would
// be without the pause.
func (c *Cloud) Resume(ref Ref, speed float64) error {
	return c.bend(ref, func(at, _ time.Duration) (time.Duration, float64) { return at, speed })
}

// Seek moves a group to the messages that were produced so long ago, from
// where it goes on at a multiple of the speed of production, until it is where
// it would have been. Moved ahead of that, it waits there.
func (c *Cloud) Seek(ref Ref, ago time.Duration, speed float64) error {
	return c.bend(ref, func(_, now time.Duration) (time.Duration, float64) { return now - ago, speed })
}

// bend changes the course of every partition that ref names. to gets the
// partition's position and the time, and returns its new position and speed.
func (c *Cloud) bend(ref Ref, to func(at, now time.Duration) (time.Duration, float64)) error {
	return c.edit(ref, func(in *instance, now time.Duration) error {
		g := in.byGroup[ref.Group]
		if g == nil {
			return fmt.Errorf("%w: consumer group %s", ErrNotFound, ref.Group)
		}
		found := false
		for _, s := range g.subscriptions {
			if ref.Topic != "" && ref.Topic != s.Topic {
				continue
			}
			found = true
			for p := range s.topic.Partitions {
				at := g.position(s, p, now)
				delete(s.bends, p)
				b := bend{since: now, from: now}
				b.place, b.speed = to(at, now)
				if b.speed > 0 && b.place > g.position(s, p, now) {
					b.ahead, b.speed = true, 0
				}
				s.bends[p] = &b
			}
		}
		if !found {
			return fmt.Errorf("%w: consumer group %s does not read topic %s", ErrNotFound, ref.Group, ref.Topic)
		}
		return nil
	})
}

// World returns what there is now, keys and passwords included, with its
// defaults filled in. Ages count from the start of the cloud.
func (c *Cloud) World() World {
	_, now := c.now()
	c.rlock(now)
	defer c.mu.RUnlock()
	var w World
	for _, a := range c.accounts {
		account := a.Account
		account.Instances = nil
		for _, in := range a.instances {
			instance := in.Instance
			instance.Topics, instance.Groups = nil, nil
			for _, t := range in.topics {
				instance.Topics = append(instance.Topics, t.Topic)
			}
			for _, g := range in.groups {
				copied := g.Group
				copied.Subscriptions = nil
				for _, s := range g.subscriptions {
					copied.Subscriptions = append(copied.Subscriptions, s.Subscription)
				}
				instance.Groups = append(instance.Groups, copied)
			}
			account.Instances = append(account.Instances, instance)
		}
		w.Accounts = append(w.Accounts, account)
	}
	return w
}
