package collector

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// How answers become sections. Each function takes one answer, makes new views
// of what it changes, and adds or drops the objects that follow from it.

// confirmed is how many listings in a row an object must be missing from
// before it is dropped. A complete listing can still be a stale one.
const confirmed = 2

// mergeRegions takes the answer of GetAllInstanceIdList.
func (a *account) mergeRegions(ids map[string][]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for id, instances := range ids {
		if len(instances) > 0 {
			a.addRegion(id, now).missing = 0
		}
	}
	for id, r := range a.regions {
		if len(ids[id]) > 0 || len(ids) == 0 && id == a.DiscoveryRegion {
			continue
		}
		if r.missing++; r.missing >= confirmed || len(r.instances) == 0 {
			a.dropRegion(id)
		} else {
			a.hurry(r.list)
		}
	}
	if len(a.regions) == 0 {
		a.addRegion(a.DiscoveryRegion, now)
	}
}

func (a *account) dropRegion(id string) {
	r := a.regions[id]
	for iid := range r.instances {
		a.dropInstance(r, iid)
	}
	a.drop(r.list)
	delete(a.regions, id)
	a.metrics.forgetRegion(a.Name, id)
}

// mergeInstances takes the answer of GetInstanceList.
func (a *account) mergeInstances(o *object, list []api.Instance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.regions[o.region]
	if r == nil {
		return
	}
	now := time.Now()
	listed := map[string]bool{}
	for _, info := range list {
		if info.InstanceID == "" || !a.Instances.Match(info.InstanceID, info.Name) {
			continue
		}
		listed[info.InstanceID] = true
		i := r.instances[info.InstanceID]
		if i == nil {
			i = &instance{
				view:   &Instance{Account: a.Name, RegionID: o.region, ID: info.InstanceID},
				topics: map[string]*topic{}, groups: map[string]*group{},
			}
			r.instances[info.InstanceID] = i
			a.unallotted = true
		}
		i.missing = 0
		renamed := i.view.detail != nil && info.Name != i.view.Info.Data.Name
		config, err := info.Config()
		if err != nil {
			a.logger.Debug("instance configuration is unreadable", "region_id", o.region, "instance_id", info.InstanceID, "err", err)
		}
		i.change(func(v *Instance, at time.Time) { v.Info = Section[InstanceInfo]{InstanceInfo{info, config}, at} })
		a.mark(o.region, info.InstanceID, kindInstance, "")
		if renamed { // rules may go by the name
			i.change(func(v *Instance, _ time.Time) { v.detail = newDetail(&a.config, v, v.detail) })
			a.markInstance(o.region, i)
		}
		a.watchInstance(i, now)
	}
	for id, i := range r.instances {
		if listed[id] {
			continue
		}
		if i.missing++; i.missing >= confirmed {
			a.dropInstance(r, id)
		}
	}
}

// statusReleased is the ServiceStatus of an instance that is listed still but
// has nothing to ask about; statusAwaiting of one that was ordered only.
const (
	statusAwaiting = 0
	statusReleased = 10
)

// watchInstance sees to it that what can be read of i is read.
func (a *account) watchInstance(i *instance, now time.Time) {
	info := i.view.Info.Data
	if s := info.ServiceStatus; s != nil && (*s == statusReleased || *s == statusAwaiting) {
		a.unwatchInstance(i)
		return
	}
	want := func(o **object, source string, yes bool) {
		switch {
		case yes && *o == nil:
			*o = a.add(&object{source: a.sources[source], region: i.view.RegionID, instance: i.view.ID}, now)
		case !yes && *o != nil:
			a.drop(*o)
			*o = nil
		}
	}
	// Serverless and Confluent instances have no quota to tip.
	want(&i.quota, sourceQuota, info.PaidType == nil || *info.PaidType == paidSubscription || *info.PaidType == paidAsYouGo)
	want(&i.allowedIPs, sourceAllowedIPs, true)
	want(&i.topicList, sourceTopics, true)
	want(&i.groupList, sourceGroups, true)
}

// unwatchInstance stops reading of i but keeps i itself.
func (a *account) unwatchInstance(i *instance) {
	for _, o := range []**object{&i.quota, &i.allowedIPs, &i.topicList, &i.groupList} {
		a.drop(*o)
		*o = nil
	}
	for name := range i.topics {
		a.dropTopic(i, name)
	}
	for name := range i.groups {
		a.dropGroup(i, name)
	}
}

func (a *account) dropInstance(r *region, id string) {
	i := r.instances[id]
	a.unwatchInstance(i)
	a.mark(i.view.RegionID, id, kindInstance, "")
	delete(r.instances, id)
}

// mergeTopics takes a complete listing of topics.
func (a *account) mergeTopics(o *object, list []api.Topic) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.instance(o)
	if i == nil {
		return
	}
	now := time.Now()
	totals := TopicTotals{Topics: int64(len(list))}
	o.calls = api.ListCalls(len(list))
	listed := map[string]bool{}
	for _, info := range list {
		totals.Partitions += info.PartitionNum
		if info.Topic == "" || !a.config.Topics.Match(info.Topic) {
			continue
		}
		listed[info.Topic] = true
		t := i.topics[info.Topic]
		if t == nil {
			t = &topic{view: &Topic{}}
			i.topics[info.Topic] = t
			t.status = a.add(&object{source: a.sources[sourceTopicStatus], region: o.region, instance: o.instance, name: info.Topic}, now)
		}
		t.missing = 0
		if was := t.view.Info.Data.CreateTime; was != 0 && was != info.CreateTime {
			t.history = history{} // another topic of that name
		}
		v := *t.view
		v.Info = Section[api.Topic]{info, now}
		t.view = &v
		a.retarget(t.status)
		a.mark(o.region, o.instance, kindTopic, info.Topic)
	}
	i.change(func(v *Instance, at time.Time) { v.TopicList = Section[TopicTotals]{totals, at} })
	a.mark(o.region, o.instance, kindInstance, "")
	i.dirty = true
	for name, t := range i.topics {
		if listed[name] {
			continue
		}
		if t.missing++; t.missing >= confirmed || a.unknownToCloud(t.status) {
			a.dropTopic(i, name)
		} else {
			a.hurry(t.status)
		}
	}
}

// unknownToCloud reports whether the cloud itself said, when asked for the
// object, that it does not exist.
func (a *account) unknownToCloud(o *object) bool {
	var e *api.Error
	return errors.As(o.err, &e) && e.Class == api.NotFound
}

func (a *account) dropTopic(i *instance, name string) {
	a.drop(i.topics[name].status)
	delete(i.topics, name)
	i.dirty = true
	a.mark(i.view.RegionID, i.view.ID, kindTopic, name)
}

// mergeGroups takes a complete listing of consumer groups. A group whose
// consumers all died is listed still, and stays.
func (a *account) mergeGroups(o *object, list []api.ConsumerGroup) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.instance(o)
	if i == nil {
		return
	}
	now := time.Now()
	o.calls = api.ListCalls(len(list))
	listed := map[string]bool{}
	for _, info := range list {
		if info.ConsumerID == "" || !a.config.ConsumerGroups.Match(info.ConsumerID) {
			continue
		}
		listed[info.ConsumerID] = true
		g := i.groups[info.ConsumerID]
		if g == nil {
			g = &group{view: &ConsumerGroup{}}
			i.groups[info.ConsumerID] = g
			g.progress = a.add(&object{source: a.sources[sourceProgress], region: o.region, instance: o.instance, name: info.ConsumerID}, now)
		}
		g.missing = 0
		v := *g.view
		v.Info = Section[api.ConsumerGroup]{info, now}
		g.view = &v
		a.retarget(g.progress)
		a.mark(o.region, o.instance, kindGroup, info.ConsumerID)
	}
	i.change(func(v *Instance, at time.Time) { v.GroupList = Section[int]{len(list), at} })
	a.mark(o.region, o.instance, kindInstance, "")
	i.dirty = true
	for name, g := range i.groups {
		if listed[name] {
			continue
		}
		if g.missing++; g.missing >= confirmed || a.unknownToCloud(g.progress) {
			a.dropGroup(i, name)
		} else {
			a.hurry(g.progress)
		}
	}
}

func (a *account) dropGroup(i *instance, name string) {
	a.drop(i.groups[name].progress)
	delete(i.groups, name)
	i.dirty = true
	a.mark(i.view.RegionID, i.view.ID, kindGroup, name)
}

// mergeTopicStatus takes the offsets of a topic.
func (a *account) mergeTopicStatus(o *object, r api.TopicStatus, times api.Times) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, t := a.topic(o)
	if t == nil {
		return
	}
	offsets := TopicOffsets{LastMessage: r.TopicStatus.LastTimeStamp}
	ends := make([]LogEnd, 0, len(r.TopicStatus.Offsets))
	for _, p := range r.TopicStatus.Offsets {
		if p.Partition < 0 || p.MaxOffset < 0 || p.MinOffset < 0 {
			continue
		}
		offsets.Partitions = append(offsets.Partitions, PartitionOffsets{p.Partition, p.MinOffset, p.MaxOffset})
		ends = append(ends, LogEnd{p.Partition, p.MaxOffset, times.Sent})
	}
	offsets.Partitions = sorted(offsets.Partitions, func(p PartitionOffsets) int32 { return p.Partition })
	v := *t.view
	v.Status = Section[TopicOffsets]{offsets, times.Answered}
	t.view = &v
	a.sample(t, ends, true, times)
	a.observed(o, topicSignals(&r))
	i.dirty = true
	a.mark(o.region, o.instance, kindTopic, o.name)
}

// mergeProgress takes the progress of a group, and with it the log ends of
// its topics.
func (a *account) mergeProgress(o *object, r api.ConsumerProgress, times api.Times) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.instance(o)
	if i == nil || i.groups[o.name] == nil {
		return
	}
	g, now := i.groups[o.name], times.Answered
	prev := &g.view.Progress.Data
	next := GroupProgress{MembersKnown: r.Progress.State != nil, at: pollOf(times)}
	if r.Progress.State != nil {
		next.State = *r.Progress.State
	}
	owners := owners{}
	for _, tp := range r.Progress.Topics {
		if !a.config.Topics.Match(tp.Topic) {
			for _, p := range tp.Offsets {
				owners.index(p)
			}
			continue
		}
		t := i.topics[tp.Topic]
		if t != nil {
			a.takeLogEnds(t, tp, times)
			a.mark(o.region, o.instance, kindTopic, tp.Topic)
		}
		next.Topics = append(next.Topics, a.topicOf(&next, prev, tp, t, owners))
	}
	next.Topics = sorted(next.Topics, func(t GroupTopic) string { return t.Topic })
	next.Owners, next.Members = owners.list()
	next.MembersKnown = next.MembersKnown || next.Members > 0
	next.takeRebalances(r.Progress.Rebalances, prev)
	next.judge(prev, &a.config.Status)
	next.sampleTotals(prev, now)
	v := *g.view
	v.Progress = Section[GroupProgress]{next, now}
	g.view = &v
	a.observed(o, progressSignals(&r, next.Status))
	i.dirty = true
	a.mark(o.region, o.instance, kindGroup, o.name)
}

// takeLogEnds uses the newest offsets in a group's progress, which spares
// GetTopicStatus on its topics. They count as the topic's only when all of
// its partitions are there.
func (a *account) takeLogEnds(t *topic, tp api.TopicProgress, times api.Times) {
	sent := times.Sent
	ends := make([]LogEnd, 0, len(tp.Offsets))
	for _, p := range tp.Offsets {
		if p.Partition >= 0 && p.BrokerOffset >= 0 {
			ends = append(ends, LogEnd{p.Partition, p.BrokerOffset, sent})
		}
	}
	a.sample(t, ends, false, times)
	if int64(len(ends)) < t.view.Info.Data.PartitionNum {
		return
	}
	first := t.consumed.IsZero()
	t.consumed = sent
	switch {
	case !first:
	case t.status.at.IsZero(): // the first read only gives way to that of others
		a.reschedule(t.status, later(t.status.due, t.status.known.Add(t.status.need.maxAge/2)))
	default:
		a.retarget(t.status)
	}
}

// owners numbers the members that own partitions.
type owners map[Owner]int16

// index returns the number of the partition's owner; -1 for none.
func (o owners) index(p api.ConsumerOffsets) int16 {
	if p.MemberID == "" && p.ClientID == "" {
		return -1
	}
	k := Owner{p.ClientID, p.ClientIP, p.MemberID}
	n, ok := o[k]
	if !ok {
		n = int16(min(len(o), math.MaxInt16))
		o[k] = n
	}
	return n
}

// list returns the owners by number, and how many members they are.
func (o owners) list() ([]Owner, int) {
	list := make([]Owner, len(o))
	members := map[string]bool{}
	for k, n := range o {
		list[n] = k
		if id := k[2]; id != "" {
			members[id] = true
		}
	}
	return list, len(members)
}

// topic returns the progress on the topic of that name, nil for none.
func (g *GroupProgress) topic(name string) *GroupTopic {
	i, ok := slices.BinarySearchFunc(g.Topics, name, func(t GroupTopic, name string) int { return cmp.Compare(t.Topic, name) })
	if !ok {
		return nil
	}
	return &g.Topics[i]
}

// topicOf makes the record of a topic in the poll p, which comes after prev.
// listed is the topic; nil while it has not been listed. Called with a.mu held.
func (a *account) topicOf(p, prev *GroupProgress, tp api.TopicProgress, listed *topic, owners owners) GroupTopic {
	t := GroupTopic{Topic: tp.Topic, Partitions: make([]GroupPartition, 0, len(tp.Offsets))}
	old := prev.topic(tp.Topic)
	a.asked = a.asked[:0]
	consumed, common, backwards := int64(0), false, false
	for _, o := range tp.Offsets {
		if o.Partition < 0 {
			continue
		}
		var before *GroupPartition
		if old != nil {
			before = old.partition(o.Partition)
		}
		next, message, asks := observe(before, prev.at, o.Partition, o.ConsumerOffset, o.BrokerOffset, p.at)
		next.Owner = owners.index(o)
		if asks {
			message.index, message.lastConsumed = len(t.Partitions), o.LastTimestamp
			a.asked = append(a.asked, message)
		}
		if before != nil && before.committed() && next.committed() {
			common, backwards = true, backwards || next.Committed < before.Committed
			consumed += next.Committed - before.Committed
		}
		t.Partitions = append(t.Partitions, next)
	}
	if listed != nil {
		listed.history.locate(a.asked, &a.rows)
	}
	for i := range a.asked {
		m := &a.asked[i]
		t.Partitions[m.index].measure(m, p.at)
	}
	t.Partitions = sorted(t.Partitions, func(p GroupPartition) int32 { return p.Partition })
	if listed != nil {
		t.takeRetention(old, listed.view.Status.Data.Partitions)
	}
	if elapsed := p.at.answered - prev.at.answered; common && !backwards && elapsed > 0 {
		t.Consumed = Rate{PerSecond: 1000 * float64(consumed) / float64(elapsed), At: time.UnixMilli(p.at.answered), Known: true}
	}
	return t
}

func (t *GroupTopic) partition(n int32) *GroupPartition {
	if n >= 0 && int(n) < len(t.Partitions) && t.Partitions[n].Partition == n {
		return &t.Partitions[n]
	}
	i, ok := slices.BinarySearchFunc(t.Partitions, n, func(p GroupPartition, n int32) int { return cmp.Compare(p.Partition, n) })
	if !ok {
		return nil
	}
	return &t.Partitions[i]
}

// takeRetention compares committed offsets with the oldest ones, those of the
// last answer of GetTopicStatus. old is the record of the poll before; nil for
// none. What was deleted at a committed offset since then is lost; what the
// group skipped by itself meanwhile may have been consumed, and is not counted.
func (t *GroupTopic) takeRetention(old *GroupTopic, oldest []PartitionOffsets) {
	t.oldest = oldest
	var before []PartitionOffsets
	if old != nil {
		t.Retention.Lost, before = old.Retention.Lost, old.oldest
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		now, ok := oldestOf(oldest, p.Partition)
		if !ok || !p.committed() {
			continue
		}
		if margin := p.Committed - now; !t.Retention.Known || margin < t.Retention.Margin {
			t.Retention.Margin, t.Retention.Known = margin, true
		}
		if then, ok := oldestOf(before, p.Partition); ok {
			t.Retention.Lost += max(0, now-max(p.Committed, then))
		}
	}
}

func oldestOf(partitions []PartitionOffsets, n int32) (int64, bool) {
	if n >= 0 && int(n) < len(partitions) && partitions[n].Partition == n {
		return partitions[n].Oldest, true
	}
	i, ok := slices.BinarySearchFunc(partitions, n, func(p PartitionOffsets, n int32) int { return cmp.Compare(p.Partition, n) })
	if !ok {
		return 0, false
	}
	return partitions[i].Oldest, true
}

// takeRebalances counts what happened since the poll before: by the number of
// the generation, since the list is short; by time where numbers start anew.
func (g *GroupProgress) takeRebalances(list []api.Rebalance, prev *GroupProgress) {
	for i := range list {
		// Documented in milliseconds, sampled in seconds.
		if t := &list[i].LastRebalanceTimestamp; *t > 0 && *t < 1e11 {
			*t *= 1000
		}
	}
	slices.SortStableFunc(list, func(x, y api.Rebalance) int { return cmp.Compare(y.LastRebalanceTimestamp, x.LastRebalanceTimestamp) })
	if len(list) == 0 { // an answer that tells of none takes none back: the next would count them again
		list = prev.Rebalances
	}
	g.Rebalances, g.RebalancesSeen = list, prev.RebalancesSeen
	g.RebalancesKnown = prev.RebalancesKnown || g.State != "" || len(list) > 0
	if !prev.RebalancesKnown || len(list) == 0 {
		return
	}
	var last api.Rebalance
	if len(prev.Rebalances) > 0 {
		last = prev.Rebalances[0]
	}
	more := int64(0)
	for _, r := range list {
		if r.LastRebalanceTimestamp > last.LastRebalanceTimestamp {
			more++
		}
	}
	if n := list[0].Generation - last.Generation; last.Generation > 0 && n > more {
		more = n
	}
	g.RebalancesSeen += more
}

// offsetSample is the sum of all log ends of a topic at one moment.
type offsetSample struct {
	sum        int64
	partitions int
	at         time.Time
}

// minRateWindow keeps two groups that are read one after the other from making
// a rate over a blink.
const minRateWindow = 5 * time.Second

// sample takes log ends of one moment: of all partitions that the topic has,
// if complete, or of those that a group consumes.
func (a *account) sample(t *topic, ends []LogEnd, complete bool, times api.Times) {
	at := times.Sent
	ends = sorted(ends, func(e LogEnd) int32 { return e.Partition })
	t.history.add(ends, pollOf(times), &a.config.History)
	v := *t.view
	merged, anew := mergeLogEnds(v.Newest, ends, complete)
	v.Newest = merged
	if anew {
		t.samples = [2]offsetSample{}
		v.Produced = Rate{}
	}
	sum := int64(0)
	for _, e := range ends {
		sum += e.Offset
	}
	whole := len(ends) > 0 && int64(len(ends)) >= v.Info.Data.PartitionNum
	if whole && at.Sub(t.samples[0].at) >= minRateWindow {
		t.samples[1], t.samples[0] = t.samples[0], offsetSample{sum, len(ends), at}
		v.Produced = rate(t.samples[1], t.samples[0])
	}
	t.view = &v
}

// rate is known when both samples are of the same partitions.
func rate(from, to offsetSample) Rate {
	if from.partitions != to.partitions || to.sum < from.sum {
		return Rate{}
	}
	return Rate{PerSecond: float64(to.sum-from.sum) / to.at.Sub(from.at).Seconds(), At: to.at, Known: true}
}

// mergeLogEnds returns the later sample of each partition; all are sorted. When
// now is complete, partitions that it lacks are gone. The topic was created
// anew when a later sample is the lower one.
func mergeLogEnds(old, now []LogEnd, complete bool) (merged []LogEnd, anew bool) {
	merged = make([]LogEnd, 0, max(len(old), len(now)))
	for _, e := range now {
		for len(old) > 0 && old[0].Partition < e.Partition {
			if !complete {
				merged = append(merged, old[0])
			}
			old = old[1:]
		}
		if len(old) > 0 && old[0].Partition == e.Partition {
			if old[0].At.After(e.At) { // two answers passed each other
				e = old[0]
			}
			anew = anew || e.Offset < old[0].Offset
			old = old[1:]
		}
		merged = append(merged, e)
	}
	if !complete {
		merged = append(merged, old...)
	}
	return merged, anew
}

// sorted sorts s by key and drops what repeats a key: an answer that names a
// partition twice must not spoil the page with a duplicate series.
func sorted[T any, K cmp.Ordered](s []T, key func(T) K) []T {
	slices.SortStableFunc(s, func(x, y T) int { return cmp.Compare(key(x), key(y)) })
	return slices.CompactFunc(s, func(x, y T) bool { return key(x) == key(y) })
}
