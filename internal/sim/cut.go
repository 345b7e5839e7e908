package sim

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// cut says what keeps clients from the brokers; zero is nothing.
type cut uint8

const (
	byWhitelist cut = 1 << iota // no entry of the whitelist lets them in any more
	byStop                      // the brokers are stopped
)

// plaintext is the port range of clients that do not say otherwise.
const plaintext = "9092/9092"

// catchUp is how fast a group consumes that was cut off, as a multiple of the
// speed of production.
const catchUp = 3

// stop keeps all clients of an instance from its brokers.
func (in *instance) stop(now time.Duration) {
	for _, t := range in.topics {
		t.cutOff(byStop, now)
	}
	for _, g := range in.groups {
		g.cutOff(byStop, now)
	}
}

// start takes back stop.
func (in *instance) start(now time.Duration) {
	for _, t := range in.topics {
		t.letIn(byStop, now)
	}
	for _, g := range in.groups {
		g.letIn(byStop, now)
	}
}

// cutOff ends the production to a topic until letIn.
func (t *topic) cutOff(why cut, now time.Duration) {
	if t.out == 0 {
		t.gaps = append(slices.Clip(t.gaps), Span{now, never})
	}
	t.out |= why
}

func (t *topic) letIn(why cut, now time.Duration) {
	if t.out == 0 {
		return
	}
	if t.out &^= why; t.out == 0 {
		t.gaps = slices.Clone(t.gaps)
		t.gaps[len(t.gaps)-1].To = now
	}
}

// busyUntil returns the time at which the producers of a topic would be now
// had they never been cut off.
func (t *topic) busyUntil(now time.Duration) time.Duration {
	at := now
	for _, g := range t.gaps {
		if now > g.From {
			at -= min(now, g.To) - g.From
		}
	}
	return at
}

// wallTime is the inverse of busyUntil: the earliest time for which it
// returns at.
func (t *topic) wallTime(at time.Duration) time.Duration {
	for _, g := range t.gaps {
		if at <= g.From || g.To == never {
			break
		}
		at += g.To - g.From
	}
	return at
}

// later adds a span to a time, not counting when nothing was produced.
func (t *topic) later(at, span time.Duration) time.Duration {
	if len(t.gaps) == 0 || span == 0 {
		return at + span
	}
	return t.wallTime(t.busyUntil(at) + span)
}

// cutOff makes a group stand still, without members, until letIn. A group
// that stood still anyway goes on to do so then.
func (g *group) cutOff(why cut, now time.Duration) {
	if g.out == 0 {
		for _, s := range g.subscriptions {
			for p := range s.topic.Partitions {
				b := g.halt(s, p, now)
				if old := s.bends[p]; old != nil && old.speed == 0 && !old.ahead {
					b.kept = old
				}
				s.bends[p] = b
			}
		}
		g.rebalanced(now, "member failed to heartbeat in time")
	}
	g.out |= why
	g.repace(now)
}

func (g *group) letIn(why cut, now time.Duration) {
	if g.out == 0 {
		return
	}
	if g.out &^= why; g.out != 0 {
		return
	}
	for _, s := range g.subscriptions {
		for p, b := range s.bends {
			switch {
			case b.kept != nil:
				s.bends[p] = b.kept
			case b.waits: // for members, see wake
			case b.speed == 0 && !b.ahead:
				s.bends[p] = &bend{since: now, from: now, place: b.place, speed: catchUp}
			}
		}
	}
	g.rebalanced(now, "member joined the group")
	g.repace(now)
	g.wake(now)
}

// whitelisted cuts off or lets in the clients of a port range after its
// whitelist has changed. Whoever was never in the list counts as connected in
// another way and is cut off only when nobody is let in any more.
func (in *instance) whitelisted(portRange string, before, after []string, now time.Duration) {
	for _, t := range in.topics {
		if t.PortRange == portRange {
			decide(t, &t.listed, before, after, address(in.ID, t.Name, producers), now)
		}
	}
	for _, g := range in.groups {
		if g.PortRange == portRange {
			decide(g, &g.listed, before, after, g.address(in.ID, 0), now)
		}
	}
}

// producers is the number, among the clients of a topic, of the one that
// produces.
const producers = 190

// clientele is whoever can be cut off.
type clientele interface {
	cutOff(why cut, now time.Duration)
	letIn(why cut, now time.Duration)
}

func decide(c clientele, listed *bool, before, after []string, ip netip.Addr, now time.Duration) {
	*listed = *listed || covers(before, ip)
	switch {
	case covers(after, ip):
		c.letIn(byWhitelist, now)
	case *listed, len(after) == 0:
		c.cutOff(byWhitelist, now)
	case len(before) == 0:
		c.letIn(byWhitelist, now)
	}
}

// covers reports whether one of the addresses or CIDR blocks holds ip.
func covers(entries []string, ip netip.Addr) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		p, err := parseEntry(e)
		return err == nil && p.Contains(ip)
	})
}

// parseEntry reads an entry of a whitelist.
func parseEntry(e string) (netip.Prefix, error) {
	if strings.Contains(e, "/") {
		return netip.ParsePrefix(e)
	}
	ip, err := netip.ParseAddr(e)
	if err != nil {
		return netip.Prefix{}, err
	}
	return ip.Prefix(ip.BitLen())
}
