package api_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// requests are the requests whose samples the documents show, as one writes
// them here.
var requests = []any{
	api.CreatePostPayOrder{
		RegionID: "cn-hangzhou", TopicQuota: 50, DiskType: "0", DiskSize: 500, DeployType: 5, IoMax: 20, EipMax: new(0), SpecType: "normal", IoMaxSpec: "alikafka.hw.2xlarge",
	},
	api.CreatePrePayOrder{
		RegionID: "cn-hangzhou", TopicQuota: 50, DiskType: "1", DiskSize: 900, DeployType: 5, IoMax: 20, EipMax: new(40), SpecType: "normal", IoMaxSpec: "alikafka.hw.2xlarge",
	},
	api.StartInstance{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", VpcID: "vpc-bp1r4eg3yrxmygv****", VSwitchID: "vsw-bp1j3sg5979fstnpl****",
		DeployModule: "vpc", ZoneID: "cn-hangzhou-k", IsEipInner: new(false), IsSetUserAndPassword: new(false), Username: "username", Password: secret.New("password"),
		Name: "newInstanceName", SecurityGroup: "sg-bp13wfx7kz9pkow***", ServiceVersion: "0.10.2", Config: map[string]string{"kafka.log.retention.hours": "33"},
		KMSKeyID: "0d24xxxx-da7b-4786-b981-9a164dxxxxxx",
	},
	api.UpgradePostPayOrder{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-m7r20thf****", TopicQuota: 80, DiskSize: 1500, IoMax: 90, SpecType: "professional",
		EipModel: new(true), EipMax: new(300), IoMaxSpec: "alikafka.hw.6xlarge",
	},
	api.UpgradePrePayOrder{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp919o4v****", TopicQuota: 50, DiskSize: 900, IoMax: 40, SpecType: "professional",
		EipModel: new(true), EipMax: new(300), IoMaxSpec: "alikafka.hw.2xlarge",
	},
	api.ConvertPostPayOrder{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", Duration: 1},
	api.ModifyInstanceName{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", InstanceName: "dev-test"},
	api.ReleaseInstance{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp919o4v****", ForceDeleteInstance: new(false)},
	api.GetInstanceList{
		RegionID: "cn-hangzhou", OrderID: "20816072673****", InstanceIDs: []string{"alikafka_post-cn-mp91gnw0p***"}, Tags: []api.Tag{{Key: "test", Value: "test"}},
	},
	api.GetAllInstanceIdList{RegionID: "cn-hangzhou"},
	api.DeleteInstance{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp919o4v****"},
	api.GetAllowedIpList{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp91inkw****"},
	api.UpdateAllowedIp{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-0pp1cng20***", UpdateType: "add", PortRange: "9092/9092", AllowedListType: "vpc", AllowedListIP: "0.0.0.0/0",
	},
	api.UpdateInstanceConfig{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", Config: map[string]string{"kafka.log.retention.hours": "33"}},
	api.UpgradeInstanceVersion{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", TargetVersion: "0.10.2"},
	api.CreateTopic{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-mp919o4v****", Topic: "alikafka_topic_test", Remark: "alikafka_topic_test"},
	api.DeleteTopic{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", Topic: "test"},
	api.GetTopicList{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-0pp1954n****", CurrentPage: 1, PageSize: 10, Topic: "topic_name"},
	api.GetTopicStatus{InstanceID: "alikafka_pre-cn-v0h15tjmo003", Topic: "normal_topic_9d034262835916103455551be06cc2dc_6"},
	api.ModifyPartitionNum{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-0pp1l9z8***", Topic: "TopicPartitionNum", AddPartitionNum: 6},
	api.ModifyTopicRemark{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-0pp1l9z8***", Topic: "alikafka_post-cn-0pp1l9z8z***"},
	api.DeleteConsumerGroup{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", ConsumerID: "CID-test"},
	api.GetConsumerList{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h18sav****", ConsumerID: "kafka-test"},
	api.GetConsumerProgress{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-mp919o4v****", ConsumerID: "kafka-test"},
	api.CreateConsumerGroup{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-0pp1l9z8****", ConsumerID: "test", Remark: "test"},
	api.UntagResources{RegionID: "cn-hangzhou", ResourceType: "INSTANCE", ResourceIDs: []string{"alikafka_post-cn-v0h1fgs2****"}},
	api.TagResources{RegionID: "cn-hangzhou", ResourceType: "INSTANCE", ResourceIDs: []string{"alikafka_post-cn-v0h1fgs2****"}, Tags: []api.Tag{{Key: "FinanceDept"}}},
	api.ListTagResources{RegionID: "cn-hangzhou", ResourceType: "INSTANCE", ResourceIDs: []string{"alikafka_post-cn-v0h1fgs2****"}},
	api.CreateSaslUser{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0****", Username: "test***", Password: secret.New("12***")},
	api.DeleteSaslUser{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0****", Username: "test***", Type: "scram"},
	api.DescribeSaslUsers{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0****"},
	api.CreateAcl{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng00***", Username: "test***", ACLResourceType: "Group", ACLResourceName: "X***",
		ACLResourcePatternType: "LITERAL", ACLOperationType: "Read",
	},
	api.DescribeAcls{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0***", Username: "test12****", ACLResourceType: "Topic", ACLResourceName: "demo"},
	api.DeleteAcl{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0****", Username: "test12****", ACLResourceType: "Topic", ACLResourceName: "demo",
		ACLResourcePatternType: "LITERAL", ACLOperationType: "Write",
	},
	api.UpdateConsumerOffset{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp91inkw****", ConsumerID: "kafka-test", Topic: new("topic_name"), ResetType: "timestamp", Time: new(int64(-1)),
	},
	api.GetTopicSubscribeStatus{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0***", Topic: "topic_name"},
	api.GetQuotaTip{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-i7m2wpm5****"},
	api.GetKafkaClientIp{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", Type: "byInstance", StartTime: 1716343501000, EndTime: 1716343502000,
	},
	api.ListRebalanceInfo{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-v0h1cng0****", ConsumerID: "kafka-test"},
	api.GetRiskList{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-pe335pgxxxxx"},
	api.StopInstance{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****"},
	api.ReopenInstance{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp91inkw****"},
	api.UpdateTopicConfig{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****", Topic: "dqc_test2", Config: "replications", Value: "3"},
	api.EnableAutoTopicCreation{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****"},
	api.EnableAutoGroupCreation{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp919o4v****", Enable: new(true)},
	api.ChangeResourceGroup{RegionID: "cn-hangzhou", ResourceID: "alikafka_post-cn-v0h1fgs2****", NewResourceGroupID: "rg-ac***********7q"},
	api.GetAutoScalingConfiguration{RegionID: "cn-hangzhou", InstanceID: "alikafka_serverless-cn-vxxxxxxxx"},
	api.CreateScheduledScalingRule{
		RegionID: "cn-hangzhou", InstanceID: "alikafka_serverless-cn-vxxxxxxxx", RuleName: "test", ScheduleType: "at", TimeZone: "GMT+8",
		FirstScheduledTime: 1714467540000, DurationMinutes: 60, ReservedPubFlow: new(120), ReservedSubFlow: new(120),
	},
	api.ModifyScheduledScalingRule{RegionID: "cn-hangzhou", InstanceID: "alikafka_serverless-cn-vxxxxxxxx", RuleName: "contact-id", Enable: new(true)},
	api.DeleteScheduledScalingRule{RegionID: "cn-hangzhou", InstanceID: "alikafka_serverless-cn-vxxxxxxxx", RuleName: "rule-name-test"},
	api.QueryMessage{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-mp919o4v****", Topic: "testkafka", QueryType: "byTimestamp", BeginTime: 1672410180000},
	api.DescribeAclResourceName{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-mp919o4v****", ACLResourceType: "Topic", ACLResourcePatternType: "LITERAL"},
	api.CreatePostPayInstance{RegionID: "cn-hangzhou", DeployType: 4},
	api.CreatePrePayInstance{RegionID: "cn-hangzhou"},
	api.DowngradePostPayOrder{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****"},
	api.DowngradePrePayOrder{RegionID: "cn-hangzhou", InstanceID: "alikafka_post-cn-v0h1fgs2****"},
	api.FailoverTest{},
}

// contradictions are the places where the sample of a request says something
// else than the description of its parameters. The descriptions win.
var contradictions = map[string]struct {
	reason  string
	sampled map[string]string // in the sample, where it differs from what is sent
	sent    map[string]string // instead
	refused string            // why the request is not sent at all
}{
	"GetInstanceList": {
		reason: "lists are described as InstanceId.N and Tag.N.Key, and sampled as JSON",
		sampled: map[string]string{
			"InstanceId": `["alikafka_post-cn-mp91gnw0p***"]`, "Tag": `[{"Key":"test","Value":"test"}]`,
		},
		sent: map[string]string{"InstanceId.1": "alikafka_post-cn-mp91gnw0p***", "Tag.1.Key": "test", "Tag.1.Value": "test"},
	},
	"ListTagResources": {
		reason:  "the list is described as ResourceId.N, and sampled without a number",
		sampled: map[string]string{"ResourceId": "alikafka_post-cn-v0h1fgs2****"},
		sent:    map[string]string{"ResourceId.1": "alikafka_post-cn-v0h1fgs2****"},
	},
	"StartInstance": {
		reason: "the sample has a blank before the version; it also sends a user to an instance without internet access, " +
			"which the description rules out and the service evidently allows",
		sampled: map[string]string{"ServiceVersion": " 0.10.2"},
		sent:    map[string]string{"ServiceVersion": "0.10.2"},
	},
	"UntagResources": {
		reason:  "the sample names neither keys nor All, and so removes nothing by the description",
		refused: "UntagResources: TagKey.N is required",
	},
	"CreatePrePayOrder": {
		reason: "the sample buys internet bandwidth for an instance without internet access; it is sent like that",
	},
	"UpgradePrePayOrder": {
		reason: "the sample is of a pay-as-you-go instance; ids are not judged",
	},
}

func TestRequestSamplesAreReproduced(t *testing.T) {
	t.Parallel()
	refs := references(t)
	for _, q := range requests {
		action := reflect.TypeOf(q).Name()
		ref := refs[action]
		delete(refs, action)
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			want := map[string]string{}
			for pair := range strings.SplitSeq(ref.Request, "&") {
				name, value, _ := strings.Cut(pair, "=")
				want[name] = value
			}
			delete(want, "Action")
			c := contradictions[action]
			for name, value := range c.sampled {
				if want[name] != value {
					t.Errorf("contradiction: the sample has %s=%q", name, want[name])
				}
				delete(want, name)
			}
			maps.Copy(want, c.sent)
			got, err := api.WireForTest(q)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-sample +sent):\n%s", d)
			}
			if err := api.Validate(action, got); fmt.Sprint(err) != orNil(c.refused) {
				t.Errorf("judged as %v, want %v", err, orNil(c.refused))
			}
		})
	}
	for action := range refs {
		t.Errorf("no request of %s", action)
	}
}

func orNil(s string) string {
	if s == "" {
		return "<nil>"
	}
	return s
}

// leaf is a single value of a reply, with the name it has there.
type leaf struct{ name, value string }

// TestRepliesHoldEverySampledValue compares every value of the sample replies,
// found by the decoders of the standard library, with those that the reply
// types hold.
func TestRepliesHoldEverySampledValue(t *testing.T) {
	t.Parallel()
	for action, ref := range references(t) {
		for form, body := range ref.replies() {
			t.Run(action+" "+form, func(t *testing.T) {
				t.Parallel()
				got := api.ReplyForTest(action)
				if err := api.DecodeForTest(200, []byte(body), got); err != nil {
					t.Fatal(err)
				}
				held := leavesOf(reflect.ValueOf(got).Elem(), "", nil)
				sampled := sampledLeaves(t, body)
				for _, l := range sampled {
					if i := slices.Index(held, l); i >= 0 {
						held = slices.Delete(held, i, i+1)
						continue
					}
					if !notHeld[l.name] || hasName(held, l.name) {
						t.Errorf("%s=%q is not in %+v", l.name, l.value, got)
					}
				}
				for _, l := range held {
					if l.value != "" && l.value != "0" && l.value != "false" {
						t.Errorf("%s=%q is not in the sample", l.name, l.value)
					}
				}
			})
		}
	}
}

// notHeld are the values that reply types leave out, where they do: the
// envelope, and what must not be kept.
var notHeld = map[string]bool{"Code": true, "Message": true, "Success": true, "RequestId": true, "Password": true}

func hasName(ls []leaf, name string) bool {
	return slices.ContainsFunc(ls, func(l leaf) bool { return l.name == name })
}

// leavesOf returns the values of a decoded reply.
func leavesOf(v reflect.Value, name string, ls []leaf) []leaf {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			ls = leavesOf(v.Elem(), name, ls)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			ls = leavesOf(v.Field(i), wireName(v.Type().Field(i)), ls)
		}
	case reflect.Slice:
		for i := range v.Len() {
			ls = leavesOf(v.Index(i), name, ls)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			ls = leavesOf(v.MapIndex(key), key.String(), ls)
		}
	default:
		ls = append(ls, leaf{name, fmt.Sprint(v.Interface())})
	}
	return ls
}

func wireName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// sampledLeaves returns the values of a document.
func sampledLeaves(t *testing.T, body string) (ls []leaf) {
	t.Helper()
	if !strings.HasPrefix(body, "<") {
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		var tree any
		if err := d.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		return jsonLeaves(tree, "", nil)
	}
	d := xml.NewDecoder(bytes.NewReader([]byte(body)))
	parents := map[string]bool{}
	var open []string
	text := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ls
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			parents[strings.Join(open, "/")] = true
			open, text = append(open, e.Name.Local), ""
			delete(parents, strings.Join(open, "/"))
		case xml.CharData:
			text += string(e)
		case xml.EndElement:
			if !parents[strings.Join(open, "/")] {
				ls = append(ls, leaf{e.Name.Local, strings.TrimSpace(text)})
			}
			open, text = open[:len(open)-1], ""
		}
	}
}

func jsonLeaves(v any, name string, ls []leaf) []leaf {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			ls = jsonLeaves(child, key, ls)
		}
	case []any:
		for _, child := range v {
			ls = jsonLeaves(child, name, ls)
		}
	default:
		ls = append(ls, leaf{name, fmt.Sprint(v)})
	}
	return ls
}

func TestRepliesHaveEveryDocumentedField(t *testing.T) {
	t.Parallel()
	for action, ref := range references(t) {
		for _, path := range ref.Fields {
			at := reflect.TypeOf(api.ReplyForTest(action)).Elem()
			for name := range strings.SplitSeq(path, ".") {
				if at = child(at, name); at == nil {
					break
				}
			}
			if at == nil && !strings.HasSuffix(path, ".Password") {
				t.Errorf("%s: no field for %s", action, path)
			}
		}
	}
}

// child returns the type of a field of t. A list may have a wrapper, which has
// no type of its own.
func child(t reflect.Type, name string) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if wireName(f) == name {
				return f.Type
			}
		}
	case reflect.Map:
		return t.Elem()
	case reflect.Slice:
		if field := child(t.Elem(), name); field != nil {
			return field
		}
		return t // its wrapper
	default:
	}
	return nil
}
