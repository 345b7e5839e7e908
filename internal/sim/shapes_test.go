package sim_test

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alikafka-exporter/alikafka-exporter/internal/golden"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// everyRead is one good call of every action in a world with one of each.
var everyRead = [][]string{
	{"GetInstanceList"},
	{"GetAllInstanceIdList"},
	{"GetAllowedIpList", "InstanceId", "alikafka_pre-cn-one"},
	{"GetQuotaTip", "InstanceId", "alikafka_pre-cn-one"},
	{"GetTopicList", "InstanceId", "alikafka_pre-cn-one"},
	{"GetTopicStatus", "InstanceId", "alikafka_pre-cn-one", "Topic", "my.topic"},
	{"GetConsumerList", "InstanceId", "alikafka_pre-cn-one", "CurrentPage", "1"},
	{"GetConsumerProgress", "InstanceId", "alikafka_pre-cn-one", "ConsumerId", "billing"},
	{"ListTagResources", "ResourceType", "Instance", "ResourceId.1", "alikafka_pre-cn-one"},
	{"DescribeSaslUsers", "InstanceId", "alikafka_pre-cn-one"},
	{"DescribeAcls", "InstanceId", "alikafka_pre-cn-one", "Username", "u", "AclResourceType", "Topic", "AclResourceName", "my.topic"},
}

// oneOfEach has a value in every field that is answered, some of them in need
// of escaping.
func oneOfEach() *sim.World {
	return &sim.World{Accounts: []sim.Account{{Name: "own", Instances: []sim.Instance{
		{
			ID: "alikafka_pre-cn-one", Name: `交易 <"prod"> & co`, DeployType: 4, EipMax: 5,
			Tags: []sim.Tag{{Key: "team", Value: "a&b"}},
			Allowed: []sim.AllowedIPs{
				{Internet: true, PortRange: "9093/9093", IPs: []string{"0.0.0.0/0"}},
				{PortRange: "9092/9092", IPs: []string{"192.168.0.0/16", "10.0.0.0/8"}},
			},
			SaslUsers: []sim.SaslUser{{Username: "u", Password: "p<1>", Mechanism: "SCRAM-SHA-512"}},
			ACLs:      []sim.ACL{{Username: "u", ResourceType: "Topic", ResourceName: "my.topic", Operation: "Read"}},
			Topics:    []sim.Topic{{Name: "my.topic", Partitions: 2, Rate: 5, Remark: "one\ttab", Tags: []sim.Tag{{Key: "k", Value: "v"}}}},
			Groups: []sim.Group{{
				Name: "billing", Members: 1, Subscriptions: []sim.Subscription{{Topic: "my.topic"}}, Tags: []sim.Tag{{Key: "k", Value: "v"}},
				Scene: sim.Rewind(0, 1e12, 60e9),
			}},
		},
		{ID: "alikafka_pre-cn-two", RegionID: "cn-shanghai"},
		{ID: "alikafka_pre-cn-three"},
	}}}}
}

// Every action in every form, byte for byte.
func TestShapes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file    string
		format  string
		options sim.Options
	}{
		{"current.json", "JSON", sim.Options{}},
		{"current.xml", "XML", sim.Options{}},
		{"2022.json", "JSON", sim.Options{Edition: sim.Edition2022}},
		{"2022.xml", "XML", sim.Options{Edition: sim.Edition2022, Lists: sim.ListsSampled, DoubleEscape: true}},
		{"sampled.json", "JSON", sim.Options{Lists: sim.ListsSampled, Strings: true, DoubleEscape: true, RebalanceSeconds: true}},
		{"bare.json", "JSON", sim.Options{Lists: sim.ListsBare}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.options.World = oneOfEach()
				c := newClient(t, newCloud(t, tt.options))
				var all strings.Builder
				for _, call := range everyRead {
					_, body := c.call(call[0], append(slices.Clone(call[1:]), "Format", tt.format)...)
					if tt.format == "XML" {
						if err := xml.Unmarshal([]byte(body), new(struct{})); err != nil {
							t.Errorf("%s: %v", call[0], err)
						}
					} else if !json.Valid([]byte(body)) {
						t.Errorf("%s: not JSON: %s", call[0], body)
					}
					all.WriteString(body + "\n")
				}
				golden.File(t, "testdata/"+tt.file, all.String())
			})
		})
	}
}

// Region ids are the names of XML elements, one per id.
func TestRegionsAsElements(t *testing.T) {
	t.Parallel()
	c := newClient(t, newCloud(t, sim.Options{World: oneOfEach()}))
	_, body := c.call("GetAllInstanceIdList", "Format", "XML")
	const want = "<InstanceIds><cn-hangzhou>alikafka_pre-cn-one</cn-hangzhou><cn-hangzhou>alikafka_pre-cn-three</cn-hangzhou>" +
		"<cn-shanghai>alikafka_pre-cn-two</cn-shanghai></InstanceIds>"
	if !strings.Contains(body, want) {
		t.Errorf("got %s", body)
	}
}

// What is escaped is what comes out.
func TestEscaping(t *testing.T) {
	t.Parallel()
	c := newClient(t, newCloud(t, sim.Options{World: oneOfEach()}))
	want := oneOfEach().Accounts[0].Instances[0].Name
	type list struct {
		InstanceList struct {
			InstanceVO []struct{ Name, AllConfig string }
		}
	}
	var asJSON, asXML list
	c.get(&asJSON, "GetInstanceList")
	_, body := c.call("GetInstanceList", "Format", "XML")
	if err := xml.Unmarshal([]byte(body), &asXML); err != nil {
		t.Fatal(err)
	}
	for _, got := range []list{asJSON, asXML} {
		vo := got.InstanceList.InstanceVO[0]
		if vo.Name != want || !json.Valid([]byte(vo.AllConfig)) {
			t.Errorf("got %+v", vo)
		}
	}
}

// Equal seeds give equal bytes, other seeds others.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) string {
		var all strings.Builder
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, newCloud(t, sim.Options{Seed: seed, Latency: 50e6, Jitter: 100e6}))
			for range 20 {
				for _, call := range [][]string{
					{"GetInstanceList"},
					{"GetTopicStatus", "InstanceId", trade, "Topic", "coupons"},
					{"GetConsumerProgress", "InstanceId", trade, "ConsumerId", "risk-control"},
				} {
					_, body := c.call(call[0], call[1:]...)
					all.WriteString(body)
				}
			}
		})
		return all.String()
	}
	one := play(1)
	if play(1) != one {
		t.Error("same seed, other bytes")
	}
	if play(2) == one {
		t.Error("other seed, same bytes")
	}
}

// Filters of GetInstanceList.
func TestInstanceFilters(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, sim.Options{Limits: sim.Limits{Default: -1}})
	for _, tt := range []struct {
		name   string
		params []string
		want   int
	}{
		{"all of the region", nil, 2},
		{"another region", []string{"RegionId", "cn-shanghai"}, 0},
		{"by id", []string{"InstanceId.1", trade, "InstanceId.2", "nope"}, 1},
		{"by tag", []string{"Tag.1.Key", "env", "Tag.1.Value", "prod"}, 2},
		{"by tags", []string{"Tag.1.Key", "env", "Tag.1.Value", "prod", "Tag.2.Key", "team", "Tag.2.Value", "trade"}, 1},
		{"by tag key", []string{"Tag.1.Key", "team"}, 2},
		{"by series", []string{"Series", "v3"}, 0},
		{"by order", []string{"OrderId", "1"}, 0},
	} {
		var got struct {
			InstanceList struct{ InstanceVO []struct{ InstanceId string } }
		}
		newClient(t, cloud).get(&got, "GetInstanceList", tt.params...)
		if len(got.InstanceList.InstanceVO) != tt.want {
			t.Errorf("%s: got %d", tt.name, len(got.InstanceList.InstanceVO))
		}
	}
	c := newClient(t, cloud)
	c.host = "127.0.0.1"
	var got struct {
		InstanceList struct{ InstanceVO []struct{ InstanceId string } }
	}
	c.get(&got, "GetInstanceList", "RegionId", "cn-shanghai")
	if len(got.InstanceList.InstanceVO) != 1 {
		t.Errorf("a loopback endpoint serves every region: got %+v", got)
	}
}

// pageOf is any paged answer.
type pageOf struct {
	CurrentPage, PageSize, Total int
	TopicList                    struct{ TopicVO []struct{ Topic string } }
	ConsumerList                 struct{ ConsumerVO []struct{ ConsumerId string } }
	NextToken                    string
	TagResources                 struct{ TagResource []struct{ ResourceId string } }
}

func TestTopicPages(t *testing.T) {
	t.Parallel()
	w := sim.Generate(sim.GenerateOptions{TopicsPerInstance: 25}, 1)
	id := w.Accounts[0].Instances[0].ID
	c := newClient(t, newCloud(t, sim.Options{World: &w, Limits: sim.Limits{Default: -1}}))
	for _, tt := range []struct {
		params            []string
		page, size, count int
	}{
		{nil, 1, 10, 10},
		{[]string{"CurrentPage", "3"}, 3, 10, 5},
		{[]string{"PageSize", "100"}, 1, 100, 25},
		{[]string{"PageSize", "5", "CurrentPage", "5"}, 5, 5, 5},
	} {
		var got pageOf
		c.get(&got, "GetTopicList", append(tt.params, "InstanceId", id)...)
		if got.CurrentPage != tt.page || got.PageSize != tt.size || got.Total != 25 || len(got.TopicList.TopicVO) != tt.count {
			t.Errorf("%v: got %d %d %d, %d topics", tt.params, got.CurrentPage, got.PageSize, got.Total, len(got.TopicList.TopicVO))
		}
	}
	if _, body := c.call("GetTopicList", "InstanceId", id, "PageSize", "5", "CurrentPage", "6"); decodeError(t, body).Code != "ONS_INVOKE_ERROR" {
		t.Errorf("past the end: %s", body)
	}
	var one, none pageOf
	c.get(&one, "GetTopicList", "InstanceId", id, "Topic", "topic-0007")
	c.get(&none, "GetTopicList", "InstanceId", id, "Topic", "nope")
	if one.Total != 1 || len(one.TopicList.TopicVO) != 1 || none.Total != 0 || len(none.TopicList.TopicVO) != 0 {
		t.Errorf("by name: %+v, %+v", one, none)
	}
}

func TestGroupPages(t *testing.T) {
	t.Parallel()
	w := sim.Generate(sim.GenerateOptions{GroupsPerInstance: 25}, 1)
	id := w.Accounts[0].Instances[0].ID
	for _, tt := range []struct {
		name               string
		edition            sim.Edition
		params             []string
		page, count, total int
	}{
		{"not asked for", sim.EditionCurrent, nil, 0, 25, 0},
		{"asked for", sim.EditionCurrent, []string{"CurrentPage", "3", "PageSize", "10"}, 3, 5, 25},
		{"by size only", sim.EditionCurrent, []string{"PageSize", "20"}, 1, 20, 25},
		{"asked of the old edition", sim.Edition2022, []string{"CurrentPage", "3", "PageSize", "10"}, 0, 25, 0},
		{"by name", sim.EditionCurrent, []string{"ConsumerId", "group-0003"}, 0, 1, 0},
	} {
		c := newClient(t, newCloud(t, sim.Options{World: &w, Edition: tt.edition}))
		var got pageOf
		c.get(&got, "GetConsumerList", append(tt.params, "InstanceId", id)...)
		if got.CurrentPage != tt.page || got.Total != tt.total || len(got.ConsumerList.ConsumerVO) != tt.count {
			t.Errorf("%s: got page %d, total %d, %d groups", tt.name, got.CurrentPage, got.Total, len(got.ConsumerList.ConsumerVO))
		}
	}
}

func TestTagPages(t *testing.T) {
	t.Parallel()
	w := sim.Generate(sim.GenerateOptions{TopicsPerInstance: 7}, 1)
	for i := range w.Accounts[0].Instances[0].Topics {
		w.Accounts[0].Instances[0].Topics[i].Tags = []sim.Tag{{Key: "team", Value: "a"}, {Key: "env", Value: "b"}}
	}
	c := newClient(t, newCloud(t, sim.Options{World: &w, TagPage: 4, Limits: sim.Limits{Default: -1}}))
	seen := make(map[string]int)
	token, pages := "", 0
	for {
		var got pageOf
		c.get(&got, "ListTagResources", "ResourceType", "topic", "Tag.1.Key", "team", "NextToken", token)
		for _, r := range got.TagResources.TagResource {
			seen[r.ResourceId]++
		}
		pages++
		if token = got.NextToken; token == "" {
			break
		}
	}
	if pages != 4 || len(seen) != 7 || seen["Kafka_alikafka_post-cn-gen000001_topic-0007"] != 2 {
		t.Errorf("%d pages, %v", pages, seen)
	}
}

// ACLs are compared without case, underscores and, unless given, pattern.
func TestACLs(t *testing.T) {
	t.Parallel()
	w := &sim.World{Accounts: []sim.Account{{Instances: []sim.Instance{{
		ID: "i", Topics: []sim.Topic{{Name: "orders"}},
		ACLs: []sim.ACL{
			{Username: "u", ResourceType: "Topic", ResourceName: "orders", Operation: "Read"},
			{Username: "u", ResourceType: "Topic", ResourceName: "ord", Operation: "Write", Pattern: "PREFIXED"},
			{Username: "u", ResourceType: "TransactionalId", ResourceName: "tx", Operation: "Write"},
		},
	}}}}}
	c := newClient(t, newCloud(t, sim.Options{World: w, Limits: sim.Limits{Default: -1}}))
	for _, tt := range []struct {
		kind, name, pattern, user string
		want                      int
	}{
		{"Topic", "orders", "", "u", 1},
		{"TOPIC", "orders", "LITERAL", "u", 1},
		{"TOPIC", "orders", "PREFIXED", "u", 0},
		{"Topic", "ord", "PREFIXED", "u", 1},
		{"TRANSACTIONAL_ID", "tx", "", "u", 1},
		{"Topic", "orders", "", "nobody", 0},
	} {
		var got struct {
			KafkaAclList struct {
				KafkaAclVO []struct{ AclOperationType string }
			}
		}
		c.get(&got, "DescribeAcls", "InstanceId", "i", "Username", tt.user, "AclResourceType", tt.kind,
			"AclResourceName", tt.name, "AclResourcePatternType", tt.pattern)
		if len(got.KafkaAclList.KafkaAclVO) != tt.want {
			t.Errorf("%+v: got %+v", tt, got)
		}
	}
}
