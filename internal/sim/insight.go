package sim

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// getTopicSubscribeStatus imitates GetTopicSubscribeStatus: the groups that
// read a topic.
func getTopicSubscribeStatus(c *Call, w *reply) *refusal {
	in, t, no := c.runningTopic()
	if no != nil {
		return no
	}
	var readers []string
	for _, g := range in.groups {
		if s := g.subscription(t); s != nil && s.Left == 0 {
			readers = append(readers, g.Name)
		}
	}
	w.object("TopicSubscribeStatus", func() {
		w.text("Topic", t.Name)
		w.texts("ConsumerGroups", "", readers)
	})
	return nil
}

// listRebalanceInfo imitates ListRebalanceInfo: the rebalances of a group,
// latest first.
func listRebalanceInfo(c *Call, w *reply) *refusal {
	g, no := c.runningGroup()
	if no != nil {
		return no
	}
	const most = 20
	w.object("Data", func() { c.writeRebalances(w, "", g, most) })
	return nil
}

// Where GetKafkaClientIp looks.
const (
	clientRange = time.Hour
	clientDays  = 7
)

// getKafkaClientIP imitates GetKafkaClientIp: the addresses that were seen on
// an instance, a topic or a group, by protocol request.
func getKafkaClientIP(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	a := c.args()
	kind := a.choice("Type", "", "byInstance", "byTopic", "byGroup")
	from, to := a.millisTime("StartTime"), a.millisTime("EndTime")
	switch {
	case from >= to || to-from > clientRange || from < c.since-clientDays*day:
		a.fail(refuse(http.StatusBadRequest, "InvalidParameter.Range", "The time range is invalid. "+again))
	case kind == "byTopic" && in.byTopic[a.text("Topic")] == nil:
		a.fail(noTopic())
	case kind == "byGroup" && in.byGroup[a.text("Group")] == nil:
		a.fail(noGroup())
	}
	if a.no != nil {
		return a.no
	}
	seen := c.clientsOf(in, kind)
	w.object("Data", func() {
		w.flag("Alert", in.OldMinor)
		w.num("StartDate", a.integer("StartTime", 0, 1<<52, 0))
		w.num("EndDate", a.integer("EndTime", 0, 1<<52, 0))
		w.num("SearchTimeRange", int64(clientRange/time.Hour))
		w.num("TimeLimitDay", clientDays)
		w.list("Data", "Data", len(seen), func(i int) {
			w.text("Name", seen[i].name)
			w.list("Data", "Data", len(seen[i].ips), func(j int) {
				w.text("Ip", seen[i].ips[j])
				w.num("Num", 1)
			})
		})
	})
	return nil
}

// seenClients are the addresses that sent one kind of protocol request.
type seenClients struct {
	name string
	ips  []string
}

// clientsOf returns who produces and who consumes.
func (c *Call) clientsOf(in *instance, kind string) []seenClients {
	produce, commit := seenClients{name: "PRODUCE"}, seenClients{name: "OFFSET_COMMIT"}
	for _, t := range in.topics {
		if t.Rate > 0 && t.Quiet == 0 && t.out == 0 && (kind == "byInstance" || kind == "byTopic" && t.Name == c.Param("Topic")) {
			produce.ips = append(produce.ips, address(in.ID, t.Name, producers).String())
		}
	}
	for _, g := range in.groups {
		reads := g.subscription(in.byTopic[c.Param("Topic")]) != nil
		if kind == "byInstance" || kind == "byGroup" && g.Name == c.Param("Group") || kind == "byTopic" && reads {
			for _, m := range g.online(c.since) {
				commit.ips = append(commit.ips, m.ip)
			}
		}
	}
	return slices.DeleteFunc([]seenClients{produce, commit}, func(s seenClients) bool { return len(s.ips) == 0 })
}

// risk is a finding of GetRiskList.
type risk struct {
	name, grade, tips, value string
	level                    int64
}

// risks are what the state of an instance gives cause for.
func (in *instance) risks(now time.Duration) []risk {
	var found []risk
	usage := func(name string, used, limit int64) {
		if limit > 0 && used*10 >= limit*8 {
			found = append(found, risk{
				name: name, grade: "B", level: 2, tips: "close to the quota", value: strconv.FormatInt(used*100/limit, 10),
			})
		}
	}
	usage("topicQuota", int64(len(in.topics)), in.TopicLimit)
	usage("partitionQuota", in.partitions(), in.PartitionLimit)
	usage("groupQuota", int64(len(in.groups)), in.GroupLimit)
	if left := in.ExpiresIn - now; in.PaidType == prePaid && left < 7*day {
		found = append(found, risk{name: "expiring", grade: "A", level: 1, tips: "renew it", value: itoa(int(left / day))})
	}
	for _, a := range in.Allowed {
		if slices.Contains(a.IPs, "0.0.0.0/0") {
			found = append(found, risk{name: "openWhitelist", grade: "A", level: 1, tips: "narrow the whitelist", value: a.PortRange})
		}
	}
	if in.OldMinor {
		found = append(found, risk{name: "minorVersion", grade: "C", level: 3, tips: "upgrade the minor version", value: in.Version})
	}
	return found
}

// getRiskList imitates GetRiskList, which pages by index. What the real checks
// find is not documented.
func getRiskList(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	a := c.args()
	found := in.risks(c.since)
	from := min(a.integer("StartIndex", 0, 1<<31, 0), int64(len(found)))
	size := a.integer("PageSize", 1, 1000, 10)
	if a.no != nil {
		return a.no
	}
	page := found[from:min(from+size, int64(len(found)))]
	w.object("Data", func() {
		w.num("Total", int64(len(found)))
		w.list("RiskList", "", len(page), func(i int) {
			r := page[i]
			w.text("InstanceId", in.ID)
			w.text("Name", r.name)
			w.text("Type", r.name)
			w.text("GradeType", r.grade)
			w.num("LevelType", r.level)
			w.flag("Health", false)
			w.num("Status", 0)
			w.text("Value", r.value)
			w.text("ReportTips", r.tips)
			w.text("ReportType", "doc")
			w.text("ReportValue", "")
			w.text("Owner", itoa(int(hash(c.Account)%1e15)))
			w.num("CreateTime", c.cloud.millis(-in.Age))
			w.num("ModifiedTime", c.cloud.millis(c.since))
			w.num("LastAlarmTime", c.cloud.millis(c.since)/1000)
			w.texts("RelationList", "", nil)
		})
	})
	return nil
}

// queryMessage imitates QueryMessage: up to ten messages of a partition from
// an offset on, or of all partitions from a time on.
func queryMessage(c *Call, w *reply) *refusal {
	_, t, no := c.runningTopic()
	if no != nil {
		return no
	}
	a := c.args()
	var found []message
	if a.choice("QueryType", "", "byOffset", "byTimestamp") == "byOffset" {
		found = a.messagesFrom(t)
	} else {
		found = a.messagesSince(t)
	}
	if a.no != nil {
		return a.no
	}
	if len(found) == 0 {
		return refuse(http.StatusBadRequest, "BIZ_NO_MESSAGE", "No message is found. "+again)
	}
	w.list("MessageList", "", len(found), func(i int) {
		m := found[i]
		offset := strconv.FormatInt(m.offset, 10)
		key, value := "key-"+offset, "message "+offset+" of "+t.Name+" partition "+itoa(m.partition)
		w.text("Topic", t.Name)
		w.num("Partition", int64(m.partition))
		w.num("Offset", m.offset)
		w.num("Timestamp", c.cloud.millis(t.producedAt(m.partition, m.offset)))
		w.text("TimestampType", "CreateTime")
		w.num("Checksum", int64(hash(value)>>32))
		w.text("Key", key)
		w.text("Value", value)
		w.num("SerializedKeySize", int64(len(key)))
		w.num("SerializedValueSize", int64(len(value)))
		w.flag("KeyTruncated", false)
		w.flag("ValueTruncated", false)
		w.num("TruncatedKeySize", 0)
		w.num("TruncatedValueSize", 0)
	})
	return nil
}

// message is where a message is.
type message struct {
	partition int
	offset    int64
}

// maxMessages is how many messages are shown.
const maxMessages = 10

// messagesFrom returns messages from the partition and offset that the call
// names.
func (a *args) messagesFrom(t *topic) []message {
	a.text("Partition")
	a.text("Offset")
	p := int(a.integer("Partition", 0, int64(t.Partitions)-1, 0))
	offset := a.integer("Offset", 0, 1<<62, 0)
	if a.no != nil {
		return nil
	}
	return a.messages(t, p, offset, nil)
}

// messagesSince returns messages of all partitions since the time that the
// call names.
func (a *args) messagesSince(t *topic) []message {
	a.text("BeginTime")
	at := a.millisTime("BeginTime") - time.Nanosecond
	var found []message
	for p := range t.Partitions {
		if a.no == nil {
			found = a.messages(t, p, t.produced(p, at), found)
		}
	}
	return found
}

func (a *args) messages(t *topic, p int, offset int64, found []message) []message {
	end := t.produced(p, a.since)
	for offset = max(offset, t.oldest(p, a.since)); offset < end && len(found) < maxMessages; offset++ {
		found = append(found, message{p, offset})
	}
	return found
}
