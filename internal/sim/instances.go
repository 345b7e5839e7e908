package sim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// getInstanceList imitates GetInstanceList: all instances of a region at
// once, filtered by id, order, tag, resource group and series. There are no
// pages.
func getInstanceList(c *Call, w *reply) *refusal {
	ids, tags := c.request.params.list("InstanceId"), c.tags()
	var found []*instance
	for _, in := range c.instances() {
		switch {
		case !c.sees(in.RegionID),
			len(ids) > 0 && !slices.Contains(ids, in.ID),
			!c.matches("OrderId", in.OrderID),
			!c.matches("ResourceGroupId", in.ResourceGroupID),
			!c.matches("Series", in.Series),
			!tagged(in.Tags, tags):
		default:
			found = append(found, in)
		}
	}
	w.list("InstanceList", "InstanceVO", len(found), func(i int) { writeInstance(c, w, found[i]) })
	return nil
}

// matches reports whether an optional filter lets a value through.
func (c *Call) matches(name, value string) bool {
	v := c.Param(name)
	return v == "" || v == value
}

// tags returns the tags that the call filters by. A tag without a value
// stands for any value.
func (c *Call) tags() []Tag {
	var tags []Tag
	for n := 1; ; n++ {
		key := c.Param("Tag." + itoa(n) + ".Key")
		if key == "" {
			return tags
		}
		tags = append(tags, Tag{Key: key, Value: c.Param("Tag." + itoa(n) + ".Value")})
	}
}

// tagged reports whether have holds all of want.
func tagged(have, want []Tag) bool {
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h Tag) bool { return h.Key == w.Key && (w.Value == "" || w.Value == h.Value) }) {
			return false
		}
	}
	return true
}

func writeInstance(c *Call, w *reply, in *instance) {
	service, view := in.status(c.since)
	w.text("InstanceId", in.ID)
	w.text("Name", in.Name)
	w.text("RegionId", in.RegionID)
	w.num("ServiceStatus", service)
	w.text("SpecType", in.SpecType)
	w.num("PaidType", in.PaidType)
	w.num("DeployType", in.DeployType)
	w.num("DiskType", in.DiskType)
	w.num("DiskSize", in.DiskSize)
	w.num("IoMax", in.IoMax)
	w.num("EipMax", in.EipMax)
	w.num("MsgRetain", int64(in.Retention/time.Hour))
	w.num("TopicNumLimit", in.TopicLimit)
	w.num("CreateTime", c.cloud.millis(-in.Age))
	w.num("ExpiredTime", c.cloud.millis(in.ExpiresIn))
	w.text("VpcId", in.VpcID)
	w.text("VSwitchId", in.VSwitchID)
	w.text("ZoneId", in.ZoneID)
	w.text("SecurityGroup", in.SecurityGroup)
	all := in.config()
	if c.cloud.opts.DoubleEscape {
		all = strings.ReplaceAll(all, `"`, `\"`)
	}
	w.text("AllConfig", all)
	if in.VpcID != "" {
		w.text("EndPoint", in.addresses(false, 9092))
		w.text("DomainEndpoint", in.endpoints("-vpc", 9092))
		w.text("SaslDomainEndpoint", in.endpoints("-vpc", 9094))
		if in.DeployType == 4 {
			w.text("SslEndPoint", in.addresses(true, 9093))
			w.text("SslDomainEndpoint", in.endpoints("", 9093))
		}
	}
	writeTags(w, in.Tags)
	w.object("UpgradeServiceDetailInfo", func() { w.text("Current2OpenSourceVersion", in.Version) })
	if c.cloud.opts.Edition == EditionCurrent {
		w.num("ViewInstanceStatusCode", view)
		writeNewer(w, in)
	}
}

// writeNewer writes what instances have been given since 2022.
func writeNewer(w *reply, in *instance) {
	w.num("UsedTopicCount", int64(len(in.topics)))
	w.num("UsedPartitionCount", in.partitions())
	w.num("UsedGroupCount", int64(len(in.groups)))
	w.text("IoMaxSpec", trafficSpec(in.IoMax))
	w.num("IoMaxRead", in.IoMax*2)
	w.num("IoMaxWrite", in.IoMax)
	w.num("ReservedPublishCapacity", in.ReservedPublish)
	w.num("ReservedSubscribeCapacity", in.ReservedSubscribe)
	w.text("ResourceGroupId", in.ResourceGroupID)
	w.text("Series", in.Series)
	if in.ZoneID != "" {
		w.text("StandardZoneId", in.RegionID+"-"+strings.TrimPrefix(in.ZoneID, "zone"))
	}
	if in.VpcID != "" {
		w.text("SaslEndPoint", in.addresses(false, 9094))
		w.text("VpcSaslEndPoint", in.addresses(false, 9095))
		w.text("VpcSaslDomainEndpoint", in.endpoints("-vpc", 9095))
	}
	if in.KMSKeyID != "" {
		w.text("KmsKeyId", in.KMSKeyID)
	}
	w.num("DefaultPartitionNum", in.AutoPartitions)
	w.num("RecommendedPartitionCount", in.PartitionLimit)
	w.flag("AutoCreateTopicEnable", in.AutoTopics)
	w.flag("AutoCreateGroupEnable", in.AutoGroups)
	w.flag("ScheduledRetirement", false)
	if in.VSwitchID != "" {
		w.texts("VSwitchIds", "VSwitchIds", []string{in.VSwitchID})
	}
	if len(in.Confluent) > 0 {
		w.object("ConfluentConfig", func() {
			for _, name := range slices.Sorted(maps.Keys(in.Confluent)) {
				w.num(name, in.Confluent[name])
			}
		})
	}
}

func writeTags(w *reply, tags []Tag) {
	w.list("Tags", "TagVO", len(tags), func(i int) {
		w.text("Key", tags[i].Key)
		w.text("Value", tags[i].Value)
	})
}

// getAllInstanceIDList imitates GetAllInstanceIdList: the ids of the whole
// account by region, whatever region is asked. In XML the regions are the
// names of the elements, one element per id.
func getAllInstanceIDList(c *Call, w *reply) *refusal {
	var regions []string
	byRegion := make(map[string][]string)
	for _, in := range c.instances() {
		if byRegion[in.RegionID] == nil {
			regions = append(regions, in.RegionID)
		}
		byRegion[in.RegionID] = append(byRegion[in.RegionID], in.ID)
	}
	w.object("InstanceIds", func() {
		for _, region := range regions {
			w.texts(region, "", byRegion[region])
		}
	})
	return nil
}

// getAllowedIPList imitates GetAllowedIpList. Its lists are never wrapped.
func getAllowedIPList(c *Call, w *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	var vpc, internet []AllowedIPs
	for _, a := range in.Allowed {
		if a.Internet {
			internet = append(internet, a)
		} else {
			vpc = append(vpc, a)
		}
	}
	ports := func(name string, as []AllowedIPs) {
		w.list(name, "", len(as), func(i int) {
			w.text("PortRange", as[i].PortRange)
			w.texts("AllowedIpList", "", as[i].IPs)
		})
	}
	w.object("AllowedList", func() {
		w.num("DeployType", in.DeployType)
		ports("InternetList", internet)
		ports("VpcList", vpc)
	})
	return nil
}

// getQuotaTip imitates GetQuotaTip. Serverless instances have no quota to
// tell.
func getQuotaTip(c *Call, w *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if in.PaidType != prePaid && in.PaidType != postPaid {
		return badPaidType()
	}
	topics, partitions, groups := int64(len(in.topics)), in.partitions(), int64(len(in.groups))
	w.object("QuotaData", func() {
		w.num("TopicQuota", in.TopicLimit)
		w.num("TopicNumOfBuy", in.TopicLimit)
		w.num("TopicUsed", topics)
		w.num("TopicLeft", max(0, in.TopicLimit-topics))
		w.num("PartitionQuota", in.PartitionLimit)
		w.num("PartitionNumOfBuy", 0)
		w.num("PartitionUsed", partitions)
		w.num("PartitionLeft", max(0, in.PartitionLimit-partitions))
		w.num("GroupUsed", groups)
		w.num("GroupLeft", max(0, in.GroupLimit-groups))
		w.num("IsPartitionBuy", 0)
	})
	return nil
}

// listInstances imitates ListInstances of ApsaraMQ for RabbitMQ. It accepts
// ResourceOwnerAccount, which only that product documents.
func listInstances(c *Call, w *reply) *refusal {
	var found []RabbitMQ
	for _, in := range c.account().RabbitMQ {
		if c.matches("RegionId", in.RegionID) {
			found = append(found, in)
		}
	}
	w.object("Data", func() {
		w.num("MaxResults", 100)
		w.list("Instances", "", len(found), func(i int) {
			in := found[i]
			orElse(&in.InstanceType, "professional")
			orElse(&in.Status, "SERVING")
			w.text("InstanceId", in.ID)
			w.text("InstanceName", in.Name)
			w.text("InstanceType", in.InstanceType)
			w.text("Status", in.Status)
			w.text("PrivateEndpoint", in.ID+".mq-amqp."+in.RegionID+"-internal.aliyuncs.com")
		})
	})
	return nil
}
