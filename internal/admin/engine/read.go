package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// opTag is the key of the tag by which creations carry the id of their run.
const opTag = "alikafka-exporter-op"

// subject is what a confirming read looks at.
type subject struct {
	Target
	client *api.Client
	params map[string]string // what will be or was sent
	run    string            // id of the run
	order  string            // that the cloud answered; empty: none
}

// Values of facts.
const (
	yes     = "yes"
	no      = "no"
	present = "present"
	absent  = "absent"
)

// matches reports whether what was read has all that is desired. A desired
// value that begins with >= is a least number.
func (f Facts) matches(got Facts) bool {
	for name, value := range f {
		least, ok := strings.CutPrefix(value, ">=")
		if !ok {
			if got[name] != value {
				return false
			}
			continue
		}
		n, err := strconv.ParseInt(got[name], 10, 64)
		m, err2 := strconv.ParseInt(least, 10, 64)
		if err != nil || err2 != nil || n < m {
			return false
		}
	}
	return true
}

func number(p *int64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatInt(*p, 10)
}

// configFact begins the names of facts about keys of an instance's
// configuration.
const configFact = "config "

// instanceFacts returns all that operations may want to know of an instance.
func instanceFacts(i *api.Instance) (Facts, error) {
	config, err := i.Config()
	if err != nil {
		return nil, fmt.Errorf("AllConfig of instance %s: %w", i.InstanceID, err)
	}
	f := Facts{
		"exists": yes, "CreateTime": strconv.FormatInt(i.CreateTime, 10), "ServiceStatus": number(i.ServiceStatus), "Name": i.Name,
		"DiskSize": number(i.DiskSize), "IoMax": number(i.IoMax), "IoMaxSpec": i.IoMaxSpec, "SpecType": i.SpecType, "EipMax": number(i.EipMax),
		"TopicNumLimit": number(i.TopicNumLimit), "PaidType": number(i.PaidType), "Version": i.Upgrade.Version, "VpcId": i.VpcID, "VSwitchId": i.VSwitchID,
		"ViewInstanceStatusCode": number(i.ViewInstanceStatusCode),
	}
	for key, value := range config {
		f[configFact+key] = value
	}
	return f, nil
}

// only returns the facts of these names, and with configFact those of the
// configuration.
func (f Facts) only(names ...string) Facts {
	few := Facts{}
	for name, value := range f {
		if slices.Contains(names, name) || strings.HasPrefix(name, configFact) && slices.Contains(names, configFact) {
			few[name] = value
		}
	}
	return few
}

// readInstance returns a reader of these facts of the instance.
func readInstance(names ...string) reader {
	return func(ctx context.Context, s *subject) (Facts, error) {
		list, err := api.Call(ctx, s.client, api.GetInstanceList{RegionID: s.RegionID, InstanceIDs: []string{s.InstanceID}})
		if err != nil {
			return nil, err
		}
		for i := range list.Instances {
			if list.Instances[i].InstanceID == s.InstanceID {
				f, err := instanceFacts(&list.Instances[i])
				return f.only(append(names, "exists")...), err
			}
		}
		return Facts{"exists": no}, nil
	}
}

// readReleased: a released instance is listed with status 10 or 15, or not at
// all. One that was stopped, or is about to be, has status 15, too.
func readReleased(ctx context.Context, s *subject) (Facts, error) {
	f, err := readInstance("CreateTime", "ServiceStatus", "ViewInstanceStatusCode")(ctx, s)
	if err != nil {
		return nil, err
	}
	stopped := f["ViewInstanceStatusCode"] == "3" || f["ViewInstanceStatusCode"] == "21"
	if f["exists"] == no || !stopped && (f["ServiceStatus"] == "10" || f["ServiceStatus"] == "15") {
		return Facts{"released": yes}, nil
	}
	delete(f, "exists")
	delete(f, "ViewInstanceStatusCode")
	f["released"] = no
	return f, nil
}

// readOrder counts the instances that carry the run's tag, or that the cloud
// lists for the order that it answered, and sums up the others: a new one that
// carries no tag may be ours nevertheless.
func readOrder(ctx context.Context, s *subject) (Facts, error) {
	list, err := api.Call(ctx, s.client, api.GetInstanceList{RegionID: s.RegionID})
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	var ids []string
	for _, i := range list.Instances {
		if tagOf(i.Tags) == s.run {
			ours[i.InstanceID] = true
		}
		ids = append(ids, i.InstanceID)
	}
	tagged := len(ours)
	if s.order != "" {
		ordered, err := api.Call(ctx, s.client, api.GetInstanceList{RegionID: s.RegionID, OrderID: s.order})
		if err != nil {
			return nil, err
		}
		for _, i := range ordered.Instances {
			ours[i.InstanceID] = true
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return ours[id] })
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	f := Facts{"ordered instances": strconv.Itoa(len(ours)), "other instances": fmt.Sprintf("%d (%s)", len(ids), hex.EncodeToString(sum[:4]))}
	if tagged > 0 {
		f[opFact] = s.run
	}
	return f, nil
}

// opFact is the run id that an object's tag names.
const opFact = "tag " + opTag

func tagOf(tags []api.Tag) string {
	for _, t := range tags {
		if t.Key == opTag {
			return t.Value
		}
	}
	return ""
}

// readTopic returns a reader of these facts of the topic of that exact name.
func readTopic(names ...string) reader {
	return func(ctx context.Context, s *subject) (Facts, error) {
		topics, err := api.ListTopics(ctx, s.client, api.GetTopicList{RegionID: s.RegionID, InstanceID: s.InstanceID})
		if err != nil {
			return nil, err
		}
		for _, t := range topics {
			if t.Topic != s.Name {
				continue
			}
			f := Facts{
				"exists": yes, "CreateTime": strconv.FormatInt(t.CreateTime, 10), "PartitionNum": strconv.FormatInt(t.PartitionNum, 10),
				"Remark": t.Remark, "Status": number(t.Status),
			}
			if tag := tagOf(t.Tags); tag != "" {
				f[opFact] = tag
			}
			return f.only(append(names, "exists")...), nil
		}
		return Facts{"exists": no}, nil
	}
}

// readGroup reads the consumer group of that exact name.
func readGroup(ctx context.Context, s *subject) (Facts, error) {
	groups, err := api.ListConsumerGroups(ctx, s.client, api.GetConsumerList{RegionID: s.RegionID, InstanceID: s.InstanceID})
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if g.ConsumerID != s.Name {
			continue
		}
		f := Facts{"exists": yes, "CreateTime": strconv.FormatInt(g.CreateTime, 10)}
		if tag := tagOf(g.Tags); tag != "" {
			f[opFact] = tag
		}
		return f, nil
	}
	return Facts{"exists": no}, nil
}

// readTags reads the values of the keys that the call names, of each resource.
func readTags(ctx context.Context, s *subject) (Facts, error) {
	resources := list(s.params, "ResourceId.", "")
	tags, err := api.ListTags(ctx, s.client, api.ListTagResources{RegionID: s.RegionID, ResourceType: s.params["ResourceType"], ResourceIDs: resources})
	if err != nil {
		return nil, err
	}
	f := Facts{}
	for _, id := range resources {
		for _, key := range tagKeys(s.params) {
			f[tagFact(id, key)] = absent
		}
	}
	for _, t := range tags {
		if _, asked := f[tagFact(t.ResourceID, t.TagKey)]; asked {
			f[tagFact(t.ResourceID, t.TagKey)] = strconv.Quote(t.TagValue)
		}
	}
	return f, nil
}

func tagFact(resource, key string) string { return "tag " + key + " of " + resource }

// tagKeys returns the keys that a call sets or removes.
func tagKeys(params map[string]string) []string {
	return append(list(params, "Tag.", ".Key"), list(params, "TagKey.", "")...)
}

// list returns the values of a list parameter: before and behind the number.
func list(params map[string]string, before, behind string) []string {
	var values []string
	for n := 1; ; n++ {
		v, ok := params[before+strconv.Itoa(n)+behind]
		if !ok {
			return values
		}
		values = append(values, v)
	}
}

// readWhitelist reads whether each entry that the call names is in the list of
// its port range, and whether that has any others.
func readWhitelist(ctx context.Context, s *subject) (Facts, error) {
	r, err := api.Call(ctx, s.client, api.GetAllowedIpList{RegionID: s.RegionID, InstanceID: s.InstanceID})
	if err != nil {
		return nil, err
	}
	ports := r.AllowedList.VPC
	if s.params["AllowedListType"] == "internet" {
		ports = r.AllowedList.Internet
	}
	f := Facts{otherEntries: no}
	for _, entry := range entries(s.params) {
		f[entryFact(s.params, entry)] = absent
	}
	for _, p := range ports {
		if p.PortRange != s.params["PortRange"] {
			continue
		}
		for _, ip := range p.IPs {
			if name := entryFact(s.params, ip); f[name] != "" {
				f[name] = present
			} else {
				f[otherEntries] = yes
			}
		}
	}
	return f, nil
}

const otherEntries = "other entries"

// entries returns the whitelist entries that a call names.
func entries(params map[string]string) []string {
	return strings.Split(params["AllowedListIp"], ",")
}

func entryFact(params map[string]string, entry string) string {
	return params["AllowedListType"] + " " + params["PortRange"] + " " + block(entry)
}

// block returns an entry as a block without bits behind its prefix, so that
// all spellings of it are one.
func block(entry string) string {
	if a, err := netip.ParseAddr(entry); err == nil {
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	if p, err := netip.ParsePrefix(entry); err == nil {
		return p.Masked().String()
	}
	return entry
}

// readUser reads whether the SASL user exists.
func readUser(ctx context.Context, s *subject) (Facts, error) {
	r, err := api.Call(ctx, s.client, api.DescribeSaslUsers{RegionID: s.RegionID, InstanceID: s.InstanceID})
	if err != nil {
		return nil, err
	}
	kind := orDefault(s.params["Type"], "plain")
	for _, u := range r.Users {
		if u.Username == s.Name && orDefault(u.Type, "plain") == kind && (s.params["Mechanism"] == "" || s.params["Mechanism"] == u.Mechanism) {
			return Facts{"exists": yes}, nil
		}
	}
	return Facts{"exists": no}, nil
}

// readACL reads whether the very entry exists.
func readACL(ctx context.Context, s *subject) (Facts, error) {
	p := s.params
	r, err := api.Call(ctx, s.client, api.DescribeAcls{
		RegionID: s.RegionID, InstanceID: s.InstanceID, Username: p["Username"], ACLResourceType: p["AclResourceType"],
		ACLResourceName: p["AclResourceName"], ACLResourcePatternType: p["AclResourcePatternType"],
	})
	if err != nil {
		return nil, err
	}
	same := strings.EqualFold // newer editions answer upper case
	for _, a := range r.ACLs {
		if a.Username == p["Username"] && a.ACLResourceName == p["AclResourceName"] &&
			same(a.ACLResourceType, p["AclResourceType"]) && same(a.ACLResourcePatternType, p["AclResourcePatternType"]) &&
			same(a.ACLOperationType, p["AclOperationType"]) && orDefault(a.Host, "*") == orDefault(p["Host"], "*") &&
			same(orDefault(a.ACLPermissionType, "ALLOW"), orDefault(p["AclPermissionType"], "ALLOW")) {
			return Facts{"exists": yes}, nil
		}
	}
	return Facts{"exists": no}, nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}
