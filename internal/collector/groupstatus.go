package collector

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// GroupStatus says how a consumer group, or its progress on a partition, is
// doing. A group is as badly off as its worst partition; greater is worse.
type GroupStatus uint8

// The statuses.
const (
	StatusUnknown   GroupStatus = iota // never read, or too long ago
	StatusOK                           // no more lag than is allowed, or lag that does not grow
	StatusAbandoned                    // the group has members, but none on this topic for long
	StatusWarning                      // lag grows
	StatusRewound                      // the committed offset went back
	StatusStalled                      // a member owns the partition, but its committed offset stands still
	StatusStopped                      // nobody owns the partition, and its committed offset stands still
)

// groupStatuses are the values of the status label.
var groupStatuses = []string{
	StatusUnknown: "unknown", StatusOK: "ok", StatusAbandoned: "abandoned", StatusWarning: "warning",
	StatusRewound: "rewound", StatusStalled: "stalled", StatusStopped: "stopped",
}

func (s GroupStatus) String() string { return groupStatuses[s] }

// MarshalText implements encoding.TextMarshaler.
func (s GroupStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// rule is why a status is what it is. Of the same status the greater one is
// told.
type rule uint8

const (
	ruleNoCommit rule = iota
	ruleNoLogEnd
	ruleAllowed
	ruleTooFew
	ruleNotGrowing
	ruleLeft
	ruleGrowing
	ruleWentBack
	ruleStandsStill
	ruleNoOwner
	ruleNeverRead
	ruleTooOld
)

// ruleNames are the rules as /api/v1/explain names and explains them, and the
// numbers that they have in the state file, which stay the same when a rule is
// added.
var ruleNames = [...]struct {
	stored     uint8
	name, text string
}{
	ruleNoCommit:    {0, "no_commit", "The group has committed no offset: nothing is known to wait for it."},
	ruleNoLogEnd:    {11, "no_log_end", "The group has committed offsets, but the log end of none of these partitions is known, and so no lag."},
	ruleAllowed:     {1, "within_allowed_lag", "Lag is at most allowed_lag messages, or at most allowed_lag_seconds."},
	ruleTooFew:      {2, "too_few_samples", "Lag is more than allowed, but has not been watched for long enough to say more."},
	ruleNotGrowing:  {3, "lag_does_not_grow", "Lag is more than allowed, but it does not grow over the samples."},
	ruleLeft:        {4, "topic_left", "The group has members, but none has owned a partition of this topic, nor has an offset moved, for abandoned_after."},
	ruleGrowing:     {5, "lag_grows", "Lag is more than allowed, and the last third of the samples is above the first third."},
	ruleWentBack:    {6, "committed_offset_went_back", "The committed offset went back within the window and has not regained its place."},
	ruleStandsStill: {7, "committed_offset_stands_still", "Lag is more than allowed, and the committed offset has not moved for the window."},
	ruleNoOwner:     {8, "no_owner", "Lag is more than allowed; no member has owned the partition, nor has its committed offset moved, for stopped_after."},
	ruleNeverRead:   {9, "never_read", "The progress of the group has not been read yet."},
	ruleTooOld:      {10, "data_too_old", "The last answer is older than the TTL of consumer_group_progress."},
}

// StatusConfig is the `collect.status` section: from when on a group counts as
// ill.
type StatusConfig struct {
	// AllowedLag is up to how many messages of lag a partition is well.
	AllowedLag int `yaml:"allowed_lag"`
	// AllowedLagSeconds is up to how many seconds of lag a partition is well,
	// however many messages they are.
	AllowedLagSeconds float64 `yaml:"allowed_lag_seconds"`
	// StoppedAfter is how long nobody owns a partition until it has stopped.
	StoppedAfter model.Duration `yaml:"stopped_after"`
	// Window is how long a committed offset stands still until its owner has
	// stalled, and over what the growth of lag is judged.
	Window model.Duration `yaml:"window"`
	// AbandonedAfter is how long a topic that the group's members have left
	// counts as stopped before it is abandoned.
	AbandonedAfter model.Duration `yaml:"abandoned_after"`
}

func defaultStatus() StatusConfig {
	return StatusConfig{
		AllowedLagSeconds: 60, StoppedAfter: model.Duration(time.Minute), Window: model.Duration(5 * time.Minute), AbandonedAfter: model.Duration(time.Hour),
	}
}

func (c *StatusConfig) validate(bad func(path, format string, args ...any)) {
	if c.AllowedLag < 0 {
		bad("status.allowed_lag", "%d is less than 0", c.AllowedLag)
	}
	if !(c.AllowedLagSeconds >= 0 && c.AllowedLagSeconds <= maxTTL.Seconds()) {
		bad("status.allowed_lag_seconds", "%v is not between 0 and %v", c.AllowedLagSeconds, maxTTL.Seconds())
	}
	for _, d := range []struct {
		path  string
		value model.Duration
	}{{"stopped_after", c.StoppedAfter}, {"window", c.Window}, {"abandoned_after", c.AbandonedAfter}} {
		checkCadence(bad, "status."+d.path, d.value)
	}
}

// statusSlots is how many samples of lag a judgement rests on.
const statusSlots = 12

// lateness is what is remembered of a partition while its lag is more than
// allowed, or stands still on the way there. Times are Unix milliseconds. It is
// never changed.
type lateness struct {
	partition   int32
	rule        rule
	samples     uint8 // of lags
	since       int64 // first poll that took note of it
	moved       int64 // last poll whose committed offset is known to have been a new one
	ownerless   int64 // first of the polls in a row that saw no owner; 0: the last saw one
	rewoundFrom int64 // the offset from which it went back; 0: it did not
	rewoundAt   int64
	lags        [statusSlots]float32 // in messages, the last one now
}

// rewoundBy returns how many messages it has still to regain.
func (l *lateness) rewoundBy(p *GroupPartition) int64 {
	if l.rewoundFrom == 0 {
		return 0
	}
	return max(0, l.rewoundFrom-p.Committed)
}

// late reports whether the partition's lag is more than allowed. A lower bound
// cannot say that it is not.
func (p *GroupPartition) late(c *StatusConfig) bool {
	if !p.measured() || p.Lag() <= int64(c.AllowedLag) {
		return false
	}
	return p.Method == LagAtLeast || p.Seconds > c.AllowedLagSeconds
}

// rule is what there is to say of a partition that is not late.
func (p *GroupPartition) rule() rule {
	switch {
	case p.measured():
		return ruleAllowed
	case p.committed():
		return ruleNoLogEnd
	}
	return ruleNoCommit
}

// judge gives every partition, and the group, its status. prev is the progress
// before.
func (g *GroupProgress) judge(prev *GroupProgress, c *StatusConfig) {
	shift := g.remember(prev, c)
	g.Status, g.rule = StatusOK, ruleNoCommit
	for i := range g.Topics {
		t := &g.Topics[i]
		g.judgeTopic(t, prev, shift, c)
		if t.Status > g.Status || t.Status == g.Status && t.rule > g.rule {
			g.Status, g.rule = t.Status, t.rule
		}
	}
	g.Since = g.at.answered
	if prev.Status == g.Status {
		g.Since = prev.Since
	}
}

// remember takes the time of the poll to those that samples of lag are of. It
// reports whether it is a new one, or replaces the last, which was too close
// to the one before.
func (g *GroupProgress) remember(prev *GroupProgress, c *StatusConfig) (shift bool) {
	g.polls = append(make([]int64, 0, statusSlots), prev.polls...)
	n, step := len(g.polls), time.Duration(c.Window).Milliseconds()/statusSlots
	if n >= 2 && g.at.answered-g.polls[n-2] < step {
		g.polls[n-1] = g.at.answered
		return false
	}
	if n == statusSlots {
		g.polls = append(g.polls[:0], g.polls[1:]...)
	}
	g.polls = append(g.polls, g.at.answered)
	return true
}

func (g *GroupProgress) judgeTopic(t *GroupTopic, prev *GroupProgress, shift bool, c *StatusConfig) {
	old := prev.topic(t.Topic)
	t.Status, t.rule = StatusOK, ruleNoCommit
	owned := slices.ContainsFunc(t.Partitions, func(p GroupPartition) bool { return p.Owner >= 0 })
	for i := range t.Partitions {
		p := &t.Partitions[i]
		p.Status = StatusOK
		t.rule = max(t.rule, p.rule())
		if !p.measured() || p.Lag() <= int64(c.AllowedLag) {
			continue
		}
		var before *GroupPartition
		var known *lateness
		if old != nil {
			before, known = old.partition(p.Partition), old.lateness(p.Partition)
		}
		late := p.late(c)
		if !late && (before == nil || before.Committed != p.Committed) {
			continue
		}
		l := g.watch(p, before, known, prev.at)
		l.sample(float32(p.Lag()), shift)
		l.rule = ruleAllowed
		if late {
			p.Status, l.rule = g.verdict(before, &l, owned, c)
		}
		if t.late == nil && old != nil {
			t.late = make([]lateness, 0, len(old.late)+1)
		}
		if p.Status > t.Status || p.Status == t.Status && l.rule > t.rule {
			t.Status, t.rule = p.Status, l.rule
		}
		t.late = append(t.late, l)
	}
}

// lateness returns what is remembered of a partition; nil for nothing.
func (t *GroupTopic) lateness(partition int32) *lateness {
	i, ok := slices.BinarySearchFunc(t.late, partition, func(l lateness, n int32) int { return int(l.partition - n) })
	if !ok {
		return nil
	}
	return &t.late[i]
}

// watch returns what is to be remembered of a partition, but for its lag.
// before and known are of the poll before, at then; nil for none.
func (g *GroupProgress) watch(p, before *GroupPartition, known *lateness, then poll) lateness {
	now := g.at.answered
	l := lateness{partition: p.Partition, since: now, moved: now}
	if before != nil && before.measured() && before.Newest <= p.Newest { // else the topic was created anew
		switch {
		case known != nil:
			l = *known
		case before.Lag() > 0: // it had work to do then already
			l.moved = then.answered
		}
		if p.Committed != before.Committed {
			l.moved = now
		}
		if p.Committed < before.Committed {
			l.rewoundFrom, l.rewoundAt = max(l.rewoundFrom, before.Committed), now
		}
	}
	if p.Committed >= l.rewoundFrom {
		l.rewoundFrom, l.rewoundAt = 0, 0
	}
	switch {
	case p.Owner >= 0:
		l.ownerless = 0
	case l.ownerless == 0 && g.MembersKnown && !g.rebalancing():
		l.ownerless = now
	}
	return l
}

// rebalancing reports whether nobody owns anything because the group is just
// sharing its partitions out. The API does not document its states; they are
// Kafka's in some spelling.
func (g *GroupProgress) rebalancing() bool {
	return strings.Contains(strings.ToUpper(g.State), "REBALANC")
}

// sample notes the lag of a poll.
func (l *lateness) sample(lag float32, shift bool) {
	if shift || l.samples == 0 {
		copy(l.lags[:], l.lags[1:])
		l.samples = min(l.samples+1, statusSlots)
	}
	l.lags[statusSlots-1] = lag
}

// verdict is the status of a partition that is late. The first rule that holds
// decides.
func (g *GroupProgress) verdict(before *GroupPartition, l *lateness, owned bool, c *StatusConfig) (GroupStatus, rule) {
	now := g.at.answered
	lasts := func(since int64, d model.Duration) bool {
		return since > 0 && now > since && now-since >= time.Duration(d).Milliseconds()
	}
	switch {
	case lasts(l.ownerless, c.StoppedAfter) && lasts(l.moved, c.AbandonedAfter) && lasts(l.ownerless, c.AbandonedAfter) && g.Members > 0 && !owned:
		return StatusAbandoned, ruleLeft
	case lasts(l.ownerless, c.StoppedAfter) && lasts(l.moved, c.StoppedAfter):
		return StatusStopped, ruleNoOwner
	case lasts(l.moved, c.Window):
		return StatusStalled, ruleStandsStill
	case l.rewoundFrom > 0 && now-l.rewoundAt <= time.Duration(c.Window).Milliseconds():
		return StatusRewound, ruleWentBack
	case l.samples < trendSamples:
		return StatusOK, ruleTooFew
	case grows(l.recent(g.polls, time.Duration(c.Window).Milliseconds()), before != nil && before.Status == StatusWarning):
		return StatusWarning, ruleGrowing
	}
	return StatusOK, ruleNotGrowing
}

const (
	// trendSamples is from how many samples on a trend is seen.
	trendSamples = 6
	// clearRise is by what part lag must have grown to be seen to grow, and
	// smallRise where enough samples all say so. Once it is, it does until it
	// no longer grows at all.
	clearRise, smallRise = 0.1, 0.05
	smallRiseSamples     = 9
)

// recent returns the samples of the window, and no fewer than a trend needs;
// polls are the times of all.
func (l *lateness) recent(polls []int64, window int64) []float32 {
	n := min(int(l.samples), len(polls))
	for n > trendSamples && polls[len(polls)-n] < polls[len(polls)-1]-window {
		n--
	}
	return l.lags[statusSlots-n:]
}

// grows compares the first and the last third of the samples by their medians:
// a single poll that caught up for a moment decides nothing.
func grows(samples []float32, already bool) bool {
	var room [2][statusSlots / 3]float32
	k := len(samples) / 3
	first, last := sortedCopy(room[0][:k], samples), sortedCopy(room[1][:k], samples[len(samples)-k:])
	from, to := median(first), median(last)
	if already {
		return to > from
	}
	return to > from*(1+clearRise) || len(samples) >= smallRiseSamples && to > from*(1+smallRise) && last[0] > first[k-1]
}

func sortedCopy(room, samples []float32) []float32 {
	copy(room, samples)
	slices.Sort(room)
	return room
}

func median(sorted []float32) float32 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
