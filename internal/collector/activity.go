package collector

import (
	"cmp"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// What answers teach about an object: whether something happens in it, and
// whether something has just gone wrong. Nothing is known beforehand.

const (
	// After so many reads in a row that saw nothing move an object is quiet,
	// then idle.
	quietAfter = 3
	idleAfter  = 6
	// stuckLong reads in a row in which a group without a word of its members
	// commits nothing are no news any more.
	stuckLong = 20
	// recently is how old the last message of an active object may be when it
	// is read for the first time.
	recently = 10 * time.Minute
	// incidentLasts is how long an incident makes its object more urgent.
	incidentLasts = 5 * time.Minute
	// A lag is a jump when it is so many times the usual one and so many
	// messages more.
	jumpFactor = 3
	jumpLeast  = 100
	// neighbours of an incident that are pulled forward, of each kind.
	neighbours = 4
	// pullShare is the part of the rate that goes to objects that were pulled
	// forward. At most so many of them come at once as the rate lets through in
	// pullBurst seconds.
	pullShare = 0.1
	pullBurst = 5
)

// signals are what an answer shows of an object; sums over all partitions.
type signals struct {
	committed int64 // by a group; 0 for a topic
	newest    int64
	lag       int64
	owned     int   // partitions that a member of the group owns
	last      int64 // when the last message was produced or consumed, Unix ms; 0 or less: unknown
	status    GroupStatus
}

func progressSignals(r *api.ConsumerProgress, status GroupStatus) signals {
	s := signals{last: r.Progress.LastTimestamp, status: status}
	for _, t := range r.Progress.Topics {
		for i := range t.Offsets {
			p := &t.Offsets[i]
			if p.ConsumerOffset < 0 || p.BrokerOffset < 0 {
				continue
			}
			s.committed += p.ConsumerOffset
			s.newest += p.BrokerOffset
			s.lag += max(0, p.BrokerOffset-p.ConsumerOffset)
			if p.MemberID != "" {
				s.owned++
			}
		}
	}
	return s
}

func topicSignals(r *api.TopicStatus) signals {
	s := signals{last: r.TopicStatus.LastTimeStamp}
	for _, p := range r.TopicStatus.Offsets {
		s.newest += max(0, p.MaxOffset)
	}
	return s
}

// activity is what was learned of an object.
type activity struct {
	signals

	known    bool      // there was an answer
	quiet    int       // answers in a row in which nothing moved
	stuck    int       // answers in a row in which messages came and none was committed
	usual    float64   // lag, smoothed
	incident time.Time // until when something counts as having just gone wrong
}

// urgency is what the object is worth to be looked at.
func (a *activity) urgency(now time.Time) urgency {
	switch {
	case now.Before(a.incident):
		return urgencyIncident
	case a.quiet < quietAfter:
		return urgencyActive
	case a.quiet < idleAfter:
		return urgencyQuiet
	}
	return urgencyIdle
}

// learn takes an answer and reports whether it shows the onset of an incident.
func (a *activity) learn(s signals, now time.Time) (onset bool) {
	before := a.signals
	a.signals = s
	if !a.known {
		a.known, a.usual = true, float64(s.lag)
		switch {
		case s.last > 0 && now.Sub(time.UnixMilli(s.last)) < recently:
			a.quiet = 0
		case s.lag > 0:
			a.quiet = quietAfter
		default:
			a.quiet = idleAfter
		}
		return false
	}
	committed, produced := s.committed != before.committed, s.newest != before.newest
	switch {
	case committed || !produced:
		a.stuck = 0
	case s.lag > 0:
		a.stuck++
	}
	if committed || produced && (a.stuck < stuckLong || s.owned > 0) {
		a.quiet = 0
	} else {
		a.quiet = min(a.quiet+1, idleAfter)
	}
	jump := float64(s.lag) > jumpFactor*a.usual+jumpLeast
	a.usual += (float64(s.lag) - a.usual) / 5
	worse := s.status > before.status && s.status >= StatusWarning
	onset = (worse || jump || a.stuck == 1 || s.committed < before.committed || s.owned < before.owned) && !now.Before(a.incident)
	if onset {
		a.incident = now.Add(incidentLasts)
	}
	return onset
}

// observed takes note of an answer about o. Called with a.mu held.
func (a *account) observed(o *object, s signals) {
	before := o.activity.signals
	onset := o.activity.learn(s, time.Now())
	switch {
	case a.judge != nil:
	case onset && o.source.name == sourceProgress:
		a.pullNeighbours(o)
	case o.source.name == sourceTopicStatus && before.newest > 0 && s.newest > before.newest:
		a.pullReaders(o)
	}
}

// pullNeighbours reads what an incident of a group may have to do with: the
// topics of the group, and groups of the same instance in which something
// moves, those that were not read for longest.
func (a *account) pullNeighbours(o *object) {
	i := a.instance(o)
	if i == nil || i.groups[o.name] == nil {
		return
	}
	topics := i.groups[o.name].view.Progress.Data.Topics
	for _, t := range topics[:min(neighbours, len(topics))] {
		if t := i.topics[t.Topic]; t != nil {
			a.pull(t.status, "incident of group "+o.name)
		}
	}
	var others []*object
	for _, g := range i.groups {
		if g.progress != o && g.progress.need.urgency == urgencyActive && !g.progress.at.IsZero() {
			others = append(others, g.progress)
		}
	}
	slices.SortFunc(others, func(x, y *object) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.name, y.name)) })
	for _, g := range others[:min(neighbours, len(others))] {
		a.pull(g, "incident of group "+o.name)
	}
}

// pullReaders reads idle groups that have committed offsets of a topic that
// moves again.
func (a *account) pullReaders(o *object) {
	i := a.instance(o)
	if i == nil {
		return
	}
	for _, g := range i.groups {
		if g.progress.need.urgency == urgencyIdle && g.view.Progress.Data.topic(o.name) != nil {
			a.pull(g.progress, "topic "+o.name+" moves")
		}
	}
}

// pull makes o due now, unless it was read a moment ago or too many others were
// pulled already. Called with a.mu held.
func (a *account) pull(o *object, reason string) bool {
	now := time.Now()
	if o == nil || o.index < 0 || o.gone || now.Sub(o.at) < o.need.target/2 {
		return false
	}
	q := a.queue(o.source, o.region)
	if !q.mayPull(now) {
		return false
	}
	a.logger.Debug("read early", "source_name", o.source.name, "instance_id", o.instance, "object", o.name, "reason", reason)
	a.reschedule(o, now)
	return true
}

// mayPull takes one of the pulls that the queue has left.
func (q *queue) mayPull(now time.Time) bool {
	q.pulls = min(max(1, pullBurst*q.rate), q.pulls+pullShare*q.rate*now.Sub(q.pulled).Seconds())
	q.pulled = now
	if q.pulls < 1 {
		return false
	}
	q.pulls--
	return true
}

// Object names a topic or a consumer group of an instance; one of the two
// names is empty.
type Object struct{ InstanceID, Topic, ConsumerGroup string }

// Hint says that something has happened to an object, whoever knows it: it is
// read as soon as the rate limit allows, within a bound for all hints. The
// reason is for the log. It reports whether the object is known and will be
// read early.
func (c *Collector) Hint(o Object, reason string) bool {
	for _, a := range c.accounts {
		if a.hint(o, reason) {
			return true
		}
	}
	return false
}

func (a *account) hint(o Object, reason string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.named(o.InstanceID)
	if i == nil {
		return false
	}
	if t := i.topics[o.Topic]; t != nil {
		return a.pull(t.status, reason)
	}
	if g := i.groups[o.ConsumerGroup]; g != nil {
		return a.pull(g.progress, reason)
	}
	return false
}

// objectMemory is what the schedule remembers of an object over a restart.
type objectMemory struct {
	At        time.Time // last success; zero: never
	Quiet     int       // answers in a row in which nothing moved
	Stuck     int       // answers in a row in which messages came and none was committed
	Usual     float64   // lag, smoothed, messages
	Incident  time.Time // until when something counts as having just gone wrong
	Committed int64     // sums over all partitions in the last answer
	Newest    int64
	Lag       int64
	Owned     int
	Status    GroupStatus
}

// memory returns what is to be remembered of o. Called with the account's
// mutex held.
func (o *object) memory() objectMemory {
	c := &o.activity
	return objectMemory{o.at, c.quiet, c.stuck, c.usual, c.incident, c.committed, c.newest, c.lag, c.owned, c.status}
}

// recall gives o what was remembered of it, and its next read the date that
// follows: what was due while nobody read comes in the order of urgency.
// Called with a.mu held.
func (a *account) recall(o *object, m objectMemory) {
	if o == nil || m.At.IsZero() {
		return
	}
	o.at = m.At
	o.activity = activity{
		signals: signals{committed: m.Committed, newest: m.Newest, lag: m.Lag, owned: m.Owned, status: m.Status},
		known:   o.learns(), quiet: m.Quiet, stuck: m.Stuck, usual: m.Usual, incident: m.Incident,
	}
	a.resumeAt(o)
}
