package sim

import "net/http"

// getTopicList imitates GetTopicList: pages of ten unless PageSize says
// otherwise; Topic filters by exact name.
func getTopicList(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	topics := in.topics
	if name := c.Param("Topic"); name != "" {
		topics = nil
		if t := in.byTopic[name]; t != nil {
			topics = []*topic{t}
		}
	}
	topics, no = paged(c, w, topics)
	if no != nil {
		return no
	}
	w.list("TopicList", "TopicVO", len(topics), func(i int) { writeTopic(c, w, in, topics[i]) })
	return nil
}

func writeTopic(c *Call, w *reply, in *instance, t *topic) {
	w.text("Topic", t.Name)
	w.text("InstanceId", in.ID)
	if !t.WithoutRegion {
		w.text("RegionId", in.RegionID)
	}
	w.num("Status", 0)
	w.text("StatusName", "服务中")
	w.num("PartitionNum", int64(t.Partitions))
	w.flag("CompactTopic", t.Compact)
	w.flag("LocalTopic", t.Local)
	w.text("Remark", t.Remark)
	w.num("CreateTime", c.cloud.millis(-t.Age))
	writeTags(w, t.Tags)
	if c.cloud.opts.Edition == EditionCurrent {
		w.flag("AutoCreate", t.AutoCreated)
		w.text("TopicConfig", t.topicConfig())
	}
}

// getTopicStatus imitates GetTopicStatus: the offsets of all partitions.
// TotalCount is the sum of what the partitions hold; timestamps of partitions
// that never got a message are 0.
func getTopicStatus(c *Call, w *reply) *refusal {
	_, t, no := c.runningTopic()
	if no != nil {
		return no
	}
	var total, last int64
	for p := range t.Partitions {
		newest := t.produced(p, c.since)
		total += newest - t.oldest(p, c.since)
		last = max(last, c.lastProduced(t, p, newest))
	}
	w.object("TopicStatus", func() {
		w.num("TotalCount", total)
		w.num("LastTimeStamp", last)
		w.list("OffsetTable", "OffsetTable", t.Partitions, func(p int) {
			newest := t.produced(p, c.since)
			w.num("Partition", int64(p))
			w.num("MinOffset", t.oldest(p, c.since))
			w.num("MaxOffset", newest)
			w.num("LastUpdateTimestamp", c.lastProduced(t, p, newest))
			w.text("Topic", t.Name)
		})
	})
	return nil
}

// lastProduced returns when the message before an offset was produced, in
// Unix milliseconds; 0 when there is none.
func (c *Call) lastProduced(t *topic, p int, offset int64) int64 {
	if offset <= 0 {
		return 0
	}
	return c.cloud.millis(t.producedAt(p, offset-1))
}

// runningTopic returns the instance and the topic that a call reads.
func (c *Call) runningTopic() (*instance, *topic, *refusal) {
	in, no := c.running()
	if no != nil {
		return nil, nil, no
	}
	t := in.byTopic[c.Param("Topic")]
	if t == nil {
		return nil, nil, noTopic()
	}
	return in, t, nil
}

func noTopic() *refusal {
	return refuse(http.StatusBadRequest, "BIZ_TOPIC_NOT_FOUND", "The specified topic does not exist. "+again)
}
