package sim

// TrueLag returns how far a group is behind on a partition at this moment, in
// messages and in seconds since the oldest unconsumed message was produced
// (0 when there is none). It is not ok when the partition is not consumed by
// the group or does not exist.
func (c *Cloud) TrueLag(accountName, instanceID, groupName, topicName string, partition int) (messages int64, seconds float64, ok bool) {
	_, now := c.now()
	c.rlock(now)
	defer c.mu.RUnlock()
	g, s := c.find(accountName, instanceID, groupName, topicName)
	if s == nil || partition < 0 || partition >= s.topic.Partitions {
		return 0, 0, false
	}
	offset, end := g.committed(s, partition, now)
	if offset >= end {
		return 0, 0, true
	}
	return end - offset, (now - s.topic.producedAt(partition, offset)).Seconds(), true
}

// find returns a group and what it reads of a topic.
func (c *Cloud) find(accountName, instanceID, groupName, topicName string) (*group, *subscription) {
	a := c.account(accountName)
	if a == nil {
		return nil, nil
	}
	in := a.instance(instanceID)
	if in == nil {
		return nil, nil
	}
	g, t := in.byGroup[groupName], in.byTopic[topicName]
	if g == nil || t == nil {
		return nil, nil
	}
	s := g.subscription(t)
	return g, s
}
