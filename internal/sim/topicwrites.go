package sim

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// maxPartitions is how many partitions a topic may have.
const maxPartitions = 360

// usedTopics counts topics, those included that are not listed yet.
func (in *instance) usedTopics() int64 { return int64(len(in.topics) + len(in.creating)) }

// topic returns the topic that the call names and that nobody is deleting.
func (c *Call) topic(in *instance) (*topic, *refusal) {
	name := c.Param("Topic")
	t := in.byTopic[name]
	switch {
	case t == nil && in.creating[name]:
		return nil, refuse(http.StatusBadRequest, "BIZ_TOPIC_STATUS_ERROR", "The status of the specified topic is invalid. "+again)
	case t == nil:
		return nil, noTopic()
	case t.deleting:
		return nil, deleting()
	}
	return t, nil
}

// servingTopic returns the instance and the topic that a call changes.
func (c *Call) servingTopic() (*instance, *topic, *refusal) {
	in, no := c.serving()
	if no != nil {
		return nil, nil, no
	}
	t, no := c.topic(in)
	return in, t, no
}

func deleting() *refusal {
	return refuse(http.StatusBadRequest, "AsyncTask.DeleteTopic", "The topic is being deleted. "+again)
}

func tooManyPartitions() *refusal {
	return refuse(http.StatusBadRequest, "BIZ_TOPIC_PARTITION_NUM_EXCEED", "The number of partitions exceeds the limit. "+again)
}

// createTopic imitates CreateTopic. The topic is listed a little later; what
// is longer than 64 characters is cut silently.
func createTopic(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	t, no := c.newTopic(in)
	if no != nil {
		return no
	}
	switch old := in.byTopic[t.Name]; {
	case old != nil && old.deleting:
		return deleting()
	case old != nil, in.creating[t.Name]:
		return refuse(http.StatusBadRequest, "BIZ_TOPIC_EXISTED", "The topic already exists. "+again)
	case in.usedTopics() >= in.TopicLimit:
		return refuse(http.StatusBadRequest, "BIZ_TOPIC_TOO_MUCH", "The number of topics exceeds the limit. "+again)
	case in.partitions()+in.pending+int64(t.Partitions) > in.PartitionLimit:
		return tooManyPartitions()
	}
	c.apply(func() {
		in.creating[t.Name] = true
		in.pending += int64(t.Partitions)
		c.cloud.schedule(c.since+c.cloud.opts.Delays.CreateTopic, func(time.Duration) {
			delete(in.creating, t.Name)
			in.pending -= int64(t.Partitions)
			_ = c.cloud.addTopic(in, t, c.since) // fails only when a test has added one meanwhile
		})
	})
	return nil
}

// newTopic returns the topic that the call describes.
func (c *Call) newTopic(in *instance) (Topic, *refusal) {
	a := c.args()
	t := Topic{
		Name: a.name("Topic", maxName), Remark: a.name("Remark", maxName), Tags: a.newTags(),
		Partitions: int(a.integer("PartitionNum", 1, maxPartitions, 12)),
	}
	if former := in.former[t.Name]; c.cloud.opts.FormerSize {
		t.Partitions = max(t.Partitions, former)
	}
	t.Local, _ = a.flag("LocalTopic")
	t.Compact, _ = a.flag("CompactTopic")
	t.Replicas = a.integer("ReplicationFactor", 1, 3, 3)
	t.MinISR = a.integer("MinInsyncReplicas", 1, 3, 0)
	config := a.mapping("Config")
	for key, value := range config {
		if key != "replications" {
			a.fail(badField(key))
		}
		t.Replicas = a.setting(key, value, 1, 3)
	}
	local := c.Param("ReplicationFactor") != "" || c.Param("MinInsyncReplicas") != "" || len(config) > 0
	switch {
	case t.Local && in.SpecType == "normal":
		a.fail(refuse(http.StatusBadRequest, "BIZ_INSTANCE_ONLY_PROFESSIONAL_SUPPORT", "Only instances of the professional edition support this operation. "+again))
	case t.Compact && !t.Local:
		a.fail(refuse(http.StatusBadRequest, "BIZ_TOPIC_COMPACT_TOPIC_NOT_SUPPORT", "Only topics of local storage can be compacted. "+again))
	case local && !t.Local, t.MinISR > 0 && t.MinISR >= t.Replicas:
		a.fail(invalid("LocalTopic"))
	}
	return t, a.no
}

// deleteTopic imitates DeleteTopic: it is gone a little later.
func deleteTopic(c *Call, _ *reply) *refusal {
	in, t, no := c.servingTopic()
	if no != nil {
		return no
	}
	c.apply(func() {
		t.deleting = true
		c.cloud.schedule(c.since+c.cloud.opts.Delays.DeleteTopic, func(time.Duration) {
			if in.byTopic[t.Name] == t {
				in.removeTopic(t)
			}
		})
	})
	return nil
}

// modifyPartitionNum imitates ModifyPartitionNum, which adds partitions and
// never sets their number.
func modifyPartitionNum(c *Call, _ *reply) *refusal {
	in, t, no := c.servingTopic()
	if no != nil {
		return no
	}
	a := c.args()
	n := a.integer("AddPartitionNum", 1, 1<<31, 0)
	switch {
	case a.no != nil:
		return a.no
	case int64(t.Partitions)+n > maxPartitions, in.partitions()+in.pending+n > in.PartitionLimit:
		return tooManyPartitions()
	}
	c.apply(func() { c.cloud.grow(in, t, int(n), c.since) })
	return nil
}

// modifyTopicRemark imitates ModifyTopicRemark. Without a Remark there is none
// afterwards.
func modifyTopicRemark(c *Call, _ *reply) *refusal {
	_, t, no := c.servingTopic()
	if no != nil {
		return no
	}
	a := c.args()
	var remark string
	if c.Param("Remark") != "" {
		remark = a.name("Remark", maxName)
	}
	if a.no != nil {
		return a.no
	}
	c.apply(func() { t.Remark = remark })
	return nil
}

// updateTopicConfig imitates UpdateTopicConfig: one setting by Config and
// Value or, as Terraform does it, several in the undocumented Configs, which
// counts more. Reserved instances can configure topics of local storage only.
func updateTopicConfig(c *Call, w *reply) *refusal {
	in, t, no := c.servingTopic()
	if no != nil {
		return no
	}
	if in.PaidType != serverless && !t.Local {
		return refuse(http.StatusBadRequest, "NotSupport", "The topic does not support this operation. "+again)
	}
	a := c.args()
	settings := a.mapping("Configs")
	if settings == nil {
		settings = map[string]string{a.text("Config"): a.text("Value")}
	}
	to := a.topicSettings(in, t, settings)
	if a.no != nil {
		return a.no
	}
	w.text("Data", "[]")
	c.apply(func() {
		t.Config, t.Replicas = to.Config, to.Replicas
		t.retain(in.retentionOf(t.Topic), c.since)
	})
	return nil
}

// topicSettings returns a topic with other settings.
func (a *args) topicSettings(in *instance, t *topic, settings map[string]string) Topic {
	to := t.Topic
	to.Config = maps.Clone(t.Config)
	if to.Config == nil {
		to.Config = make(map[string]string)
	}
	for key, value := range settings {
		switch {
		case key == "replications":
			to.Replicas = a.setting(key, value, 1, 3)
			continue
		case key == "retention.ms" && in.PaidType != serverless:
			a.setting(key, value, 3_600_000, 31_536_000_000)
		case key == "retention.hours" && in.PaidType == serverless:
			a.setting(key, value, 1, 8760)
		case key == "max.message.bytes":
			a.setting(key, value, 1024, 10<<20)
		case key == "message.timestamp.type":
			if value != "CreateTime" && value != "LogAppendTime" {
				a.fail(badField(key))
			}
		case key == "message.timestamp.difference.max.ms":
			a.setting(key, value, 0, 1<<62)
		default:
			a.fail(badField(key))
		}
		to.Config[key] = value
	}
	return to
}

// retentionOf returns how long a topic keeps messages: as its own settings say,
// else as the instance does.
func (in *instance) retentionOf(t Topic) time.Duration {
	if ms, err := strconv.ParseInt(t.Config["retention.ms"], 10, 64); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	if hours, err := strconv.ParseInt(t.Config["retention.hours"], 10, 64); err == nil {
		return time.Duration(hours) * time.Hour
	}
	return in.Retention
}

// topicConfig returns what GetTopicList calls TopicConfig: JSON in a string.
func (t *topic) topicConfig() string {
	if len(t.Config) == 0 && t.MinISR == 0 {
		return `{"replication-factor":` + itoa(int(t.Replicas)) + "}"
	}
	all := make(map[string]any, len(t.Config)+2)
	for key, value := range t.Config {
		all[key] = value
	}
	all["replication-factor"] = t.Replicas
	if t.MinISR > 0 {
		all["min.insync.replicas"] = t.MinISR
	}
	text, _ := json.Marshal(all) //nolint:errchkjson // strings and numbers do not fail
	return string(text)
}
