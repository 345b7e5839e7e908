package conformance_test

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// instance returns an instance of the world as it is now.
func (s *session) instance(id string) sim.Instance {
	for _, in := range s.cloud.World().Accounts[0].Instances {
		if in.ID == id {
			return in
		}
	}
	return sim.Instance{}
}

// began finds out when the cloud was made: its first instance tells, to the
// millisecond.
func (s *session) began(before, after time.Time) {
	held := s.call("GetInstanceList", params{"InstanceId": []string{subscription}})
	created, err := strconv.ParseInt(held["InstanceList.InstanceVO[0].CreateTime"], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	s.start = time.UnixMilli(created).Add(s.instance(subscription).Age)
	if s.start.Before(before.Add(-time.Millisecond)) || s.start.After(after) {
		s.fail("CreateTime: the cloud was made at %s, not between %s and %s", s.start, before, after)
	}
}

// instances reads the instances that a filter lets through and compares them
// with the world.
func (s *session) instances(p params, keep func(in sim.Instance) bool) {
	s.t.Helper()
	held := s.call("GetInstanceList", p)
	want := make(leaves)
	n := 0
	for _, in := range s.cloud.World().Accounts[0].Instances {
		if in.RegionID == region && keep(in) {
			want.add(at("InstanceVO", n), s.instanceWant(in))
			n++
		}
	}
	s.expect("GetInstanceList", "InstanceList", want, held, notWorld)
	brokers := regexp.MustCompile(`^[^,:]+:(\d+),[^,:]+:\d+,[^,:]+:\d+$`)
	for path, value := range held {
		if regexp.MustCompile(`End[pP]oint$`).MatchString(path) && value != "" && !brokers.MatchString(value) {
			s.fail("GetInstanceList: %s is %q", path, value)
		}
	}
}

func (s *session) allInstances() {
	s.t.Helper()
	s.instances(params{}, func(sim.Instance) bool { return true })
}

func (s *session) readInstances() {
	s.allInstances()
	s.instances(params{"InstanceId": []string{payAsYouGo, serverless}}, func(in sim.Instance) bool { return in.ID == payAsYouGo || in.ID == serverless })
	order := s.instance(confluent).OrderID
	s.instances(params{"OrderId": order}, func(in sim.Instance) bool { return in.OrderID == order })
	group := s.instance(payAsYouGo).ResourceGroupID
	s.instances(params{"ResourceGroupId": group}, func(in sim.Instance) bool { return in.ResourceGroupID == group })
	s.instances(params{"Tag": []map[string]string{{"Key": "team", "Value": "trade"}}}, func(in sim.Instance) bool { return in.ID == subscription })
	if s.sdk.knows("GetInstanceList", "Series") {
		s.instances(params{"Series": "v3"}, func(in sim.Instance) bool { return in.Series == "v3" })
	}
	want := make(leaves)
	n := make(map[string]int)
	for _, in := range s.cloud.World().Accounts[0].Instances {
		want[at("InstanceIds."+in.RegionID, n[in.RegionID])] = in.ID
		n[in.RegionID]++
	}
	s.expect("GetAllInstanceIdList", "", want, s.call("GetAllInstanceIdList", params{}), "")
	s.readSettings(subscription)
}

// readSettings reads what belongs to an instance besides topics and groups.
func (s *session) readSettings(id string) {
	s.t.Helper()
	in := s.instance(id)
	p := params{"InstanceId": id}
	s.expect("GetAllowedIpList", "AllowedList", allowedWant(in), s.call("GetAllowedIpList", p), "")
	s.expect("DescribeSaslUsers", "", usersWant(in), s.call("DescribeSaslUsers", p), "")
	if in.PaidType < 2 {
		s.expect("GetQuotaTip", "QuotaData", quotaWant(in), s.call("GetQuotaTip", p), "")
	}
}

// readACLs reads the entries of a user on a resource.
func (s *session) readACLs(id, user, kind, name string) {
	s.t.Helper()
	in := s.instance(id)
	p := params{"InstanceId": id, "Username": user, "AclResourceType": kind, "AclResourceName": name}
	s.expect("DescribeAcls", "", aclsWant(in, user, kind, name), s.call("DescribeAcls", p), "")
	if !s.can("DescribeAclResourceName") {
		return
	}
	var names []string
	for _, a := range in.ACLs {
		if a.ResourceType == kind && or(a.Pattern, "LITERAL") == "LITERAL" {
			names = append(names, a.ResourceName)
		}
	}
	slices.Sort(names)
	want := make(leaves)
	for i, name := range slices.Compact(names) {
		want[at("Data.data", i)] = name
	}
	held := s.call("DescribeAclResourceName", params{"InstanceId": id, "AclResourceType": kind, "AclResourcePatternType": "LITERAL"})
	s.expect("DescribeAclResourceName", "", want, held, "")
}

// readTopics reads the topics of an instance in pages.
func (s *session) readTopics(id string) {
	s.t.Helper()
	const size = 3
	in := s.instance(id)
	for page := 1; (page-1)*size < len(in.Topics) || page == 1; page++ {
		want := leaves{"CurrentPage": num(page), "PageSize": num(size), "Total": num(len(in.Topics))}
		for i, t := range in.Topics[(page-1)*size : min(page*size, len(in.Topics))] {
			want.add(at("TopicList.TopicVO", i), s.topicWant(in, t))
		}
		s.expect("GetTopicList", "", want, s.call("GetTopicList", params{"InstanceId": id, "CurrentPage": num(page), "PageSize": num(size)}), "")
	}
}

// readTopic reads one topic: its row, its offsets and who reads it.
func (s *session) readTopic(id, name string) {
	s.t.Helper()
	in := s.instance(id)
	t := in.Topics[slices.IndexFunc(in.Topics, func(t sim.Topic) bool { return t.Name == name })]
	want := leaves{"CurrentPage": "1", "PageSize": "10", "Total": "1"}
	want.add("TopicList.TopicVO[0]", s.topicWant(in, t))
	s.expect("GetTopicList", "", want, s.call("GetTopicList", params{"InstanceId": id, "Topic": name}), "")

	p := params{"InstanceId": id, "Topic": name}
	held := s.call("GetTopicStatus", p)
	s.expect("GetTopicStatus", "", s.read("GetTopicStatus", p), held, "")
	var count int64
	for i := range t.Partitions {
		row := at("TopicStatus.OffsetTable.OffsetTable", i)
		if held[row+".Partition"] != num(i) {
			s.fail("GetTopicStatus %s: partition %d is not there", name, i)
		}
		count += whole(held[row+".MaxOffset"]) - whole(held[row+".MinOffset"])
	}
	if got := whole(held["TopicStatus.TotalCount"]); got != count {
		s.fail("GetTopicStatus %s: TotalCount is %d, the offsets make %d", name, got, count)
	}
	// The rate of the topic and the age of its messages give the count.
	kept := 72 * time.Hour // before it was prolonged
	if t.Compact {
		kept = t.Age // compacted topics keep the last message of every key; here all of them have keys of their own
	}
	if expected := t.Rate * (min(t.Age, kept) - t.Quiet).Seconds(); t.Config == nil {
		if off := float64(count) - expected; max(off, -off) > expected/100+float64(t.Partitions)*2 {
			s.fail("GetTopicStatus %s: TotalCount is %d, the rate makes %.0f", name, count, expected)
		}
	}
	want = leaves{"Topic": name}
	n := 0
	for _, g := range in.Groups {
		if slices.ContainsFunc(g.Subscriptions, func(s sim.Subscription) bool { return s.Topic == name }) {
			want[at("ConsumerGroups", n)] = g.Name
			n++
		}
	}
	s.expect("GetTopicSubscribeStatus", "TopicSubscribeStatus", want, s.call("GetTopicSubscribeStatus", p), "")
}

func whole(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// readGroups reads the groups of an instance, at once and in pages.
func (s *session) readGroups(id string) {
	s.t.Helper()
	in := s.instance(id)
	rows := func(groups []sim.Group) leaves {
		l := make(leaves)
		for i, g := range groups {
			l.add(at("ConsumerList.ConsumerVO", i), s.groupWant(in, g))
		}
		return l
	}
	s.expect("GetConsumerList", "", rows(in.Groups), s.call("GetConsumerList", params{"InstanceId": id}), "")
	for i := range in.Groups {
		want := rows(in.Groups[i : i+1])
		s.expect("GetConsumerList", "", want, s.call("GetConsumerList", params{"InstanceId": id, "ConsumerId": in.Groups[i].Name}), "")
		want.add("", leaves{"CurrentPage": num(i + 1), "PageSize": "1", "Total": num(len(in.Groups))})
		s.expect("GetConsumerList", "", want, s.call("GetConsumerList", params{"InstanceId": id, "CurrentPage": num(i + 1), "PageSize": "1"}), "")
	}
}

// readProgress reads the progress of a group. Its lag is what the simulator
// says that it really is, its end offsets are those of the topics.
func (s *session) readProgress(id, name string) leaves {
	s.t.Helper()
	in := s.instance(id)
	g := in.Groups[slices.IndexFunc(in.Groups, func(g sim.Group) bool { return g.Name == name })]
	p := params{"InstanceId": id, "ConsumerId": name}
	held := s.call("GetConsumerProgress", p)
	s.expect("GetConsumerProgress", "", s.read("GetConsumerProgress", p), held, "")
	var all int64
	for i, sub := range g.Subscriptions {
		topic := in.Topics[slices.IndexFunc(in.Topics, func(t sim.Topic) bool { return t.Name == sub.Topic })]
		status := s.read("GetTopicStatus", params{"InstanceId": id, "Topic": sub.Topic})
		row := at("ConsumerProgress.TopicList.TopicList", i)
		var diff int64
		for n := range topic.Partitions {
			o := at(row+".OffsetList.OffsetList", n)
			end := whole(held[o+".BrokerOffset"])
			lag := end - whole(held[o+".ConsumerOffset"])
			truth, _, ok := s.cloud.TrueLag("acme", id, name, sub.Topic, n)
			if !ok || lag != truth || end != whole(status[at("TopicStatus.OffsetTable.OffsetTable", n)+".MaxOffset"]) {
				s.fail("GetConsumerProgress %s: %s: lag %d of %d, is really %d", name, o, lag, end, truth)
			}
			s.state += 2
			diff += lag
		}
		if got := whole(held[row+".TotalDiff"]); got != diff || held[row+".Topic"] != sub.Topic {
			s.fail("GetConsumerProgress %s: %s: TotalDiff is %d, the offsets make %d", name, row, got, diff)
		}
		all += diff
	}
	if got := whole(held["ConsumerProgress.TotalDiff"]); got != all {
		s.fail("GetConsumerProgress %s: TotalDiff is %d, the topics make %d", name, got, all)
	}
	return held
}

// readTags reads the tags of one kind of resource page by page.
func (s *session) readTags(kind string, p params) {
	s.t.Helper()
	var want []leaves
	add := func(id string, tags []sim.Tag) {
		if ids, ok := p["ResourceId"].([]string); ok && !slices.Contains(ids, id) {
			return
		}
		if filter, ok := p["Tag"].([]map[string]string); ok && !slices.ContainsFunc(tags, func(t sim.Tag) bool { return t.Key == filter[0]["Key"] }) {
			return
		}
		for _, t := range tags {
			want = append(want, leaves{"ResourceId": id, "ResourceType": "ALIYUN::ALIKAFKA::" + kind, "TagKey": t.Key, "TagValue": t.Value})
		}
	}
	for _, in := range s.cloud.World().Accounts[0].Instances {
		if in.RegionID != region {
			continue
		}
		switch kind {
		case "INSTANCE":
			add(in.ID, in.Tags)
		case "TOPIC":
			for _, t := range in.Topics {
				add("Kafka_"+in.ID+"_"+t.Name, t.Tags)
			}
		default:
			for _, g := range in.Groups {
				add("Kafka_"+in.ID+"_"+g.Name, g.Tags)
			}
		}
	}
	p["ResourceType"] = kind
	for {
		held := s.call("ListTagResources", p)
		page := make(leaves)
		for i := range min(len(want), 2) {
			page.add(at("TagResource", i), want[i])
		}
		s.expect("ListTagResources", "TagResources", page, held, "")
		want = want[min(len(want), 2):]
		if (held["NextToken"] == "") != (len(want) == 0) {
			s.fail("ListTagResources: NextToken is %q, %d tags are left", held["NextToken"], len(want))
		}
		if held["NextToken"] == "" {
			return
		}
		p["NextToken"] = held["NextToken"]
	}
}

// readInsight reads what looks into an instance.
func (s *session) readInsight() {
	s.readMessages()
	p := params{"InstanceId": subscription, "ConsumerId": "billing"}
	if s.can("ListRebalanceInfo") {
		held := s.call("ListRebalanceInfo", p)
		s.expect("ListRebalanceInfo", "", s.read("ListRebalanceInfo", p), held, "")
		if reason := held["Data.RebalanceInfoList[0].Reason"]; reason != "member left the group" {
			s.fail("ListRebalanceInfo: the last reason is %q", reason)
		}
	}
	if s.can("GetRiskList") {
		p := params{"InstanceId": subscription}
		held := s.call("GetRiskList", p)
		s.expect("GetRiskList", "", s.read("GetRiskList", p), held, `\.ModifiedTime$|\.LastAlarmTime$`)
		if held["Data.Total"] != "2" || held["Data.RiskList[0].Name"] != "openWhitelist" || held["Data.RiskList[1].Name"] != "minorVersion" {
			s.fail("GetRiskList: %v", held)
		}
	}
	if s.can("GetKafkaClientIp") {
		now := time.Now()
		p := params{
			"InstanceId": subscription, "Type": "byGroup", "Group": "billing",
			"StartTime": num(now.Add(-time.Hour).UnixMilli()), "EndTime": num(now.UnixMilli()),
		}
		held := s.call("GetKafkaClientIp", p)
		s.expect("GetKafkaClientIp", "", s.read("GetKafkaClientIp", p), held, "")
		for i := range 2 {
			if held[at("Data.Data.Data[0].Data.Data", i)+".Ip"] == "" {
				s.fail("GetKafkaClientIp: member %d is not there: %v", i, held)
			}
		}
	}
	if s.can("GetAutoScalingConfiguration") {
		s.readRules()
	}
}

func (s *session) readRules() {
	s.t.Helper()
	held := s.call("GetAutoScalingConfiguration", params{"InstanceId": serverless})
	s.expect("GetAutoScalingConfiguration", "", rulesWant(s.instance(serverless)), held, `\.EstimatedElasticScaling(Up|Down)TimeSecs$`)
}

func (s *session) readMessages() {
	status := s.read("GetTopicStatus", params{"InstanceId": subscription, "Topic": "orders"})
	row := at("TopicStatus.OffsetTable.OffsetTable", 2)
	first := whole(status[row+".MaxOffset"]) - 3
	p := params{"InstanceId": subscription, "Topic": "orders", "QueryType": "byOffset", "Partition": "2", "Offset": num(first)}
	held := s.call("QueryMessage", p)
	s.expect("QueryMessage", "", s.read("QueryMessage", p), held, "")
	for i := range 4 {
		row := at("MessageList", i)
		switch got, there := held[row+".Offset"]; {
		case there != (i < 3), there && got != num(first+int64(i)), there && held[row+".Partition"] != "2":
			s.fail("QueryMessage: message %d: offset %q", i, got)
		case there && held[row+".SerializedValueSize"] != num(len(held[row+".Value"])):
			s.fail("QueryMessage: message %d: size %s of %q", i, held[row+".SerializedValueSize"], held[row+".Value"])
		}
	}
	if last := held["MessageList[2].Timestamp"]; last != status[row+".LastUpdateTimestamp"] {
		s.fail("QueryMessage: the last message is of %s, GetTopicStatus says %s", last, status[row+".LastUpdateTimestamp"])
	}
	p = params{"InstanceId": subscription, "Topic": "orders", "QueryType": "byTimestamp", "BeginTime": num(time.Now().Add(-3 * time.Hour).UnixMilli())}
	s.expect("QueryMessage", "", s.read("QueryMessage", p), s.call("QueryMessage", p), "")
}

// refusals are answers that say no.
func (s *session) readRefusals() {
	s.refuse("GetTopicStatus", params{"InstanceId": subscription, "Topic": "nowhere"}, "BIZ_TOPIC_NOT_FOUND")
	s.refuse("GetConsumerProgress", params{"InstanceId": "alikafka_none", "ConsumerId": "nobody"}, "BIZ_INSTANCE_NOT_FOUND")
	s.refuse("GetTopicList", params{"InstanceId": subscription, "CurrentPage": "9", "PageSize": "10"}, "ONS_INVOKE_ERROR")
	s.refuse("CreateTopic", params{"InstanceId": subscription, "Topic": "orders", "Remark": "again"}, "BIZ_TOPIC_EXISTED")
	s.refuse("ReleaseInstance", params{"InstanceId": subscription}, "BIZ_INSTANCE_PAIDTYPE_NOT_SUPPORT")
}
