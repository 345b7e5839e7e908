package api_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// documented is what the sample replies of the documents say.
var documented = map[string]any{
	"GetInstanceList": &api.InstanceList{Instances: []api.Instance{{
		InstanceID: "alikafka_pre-cn-mp919o4v****", Name: "alikafka_post-cn-mp91gnw0p***", RegionID: "cn-hangzhou",
		ZoneID: "zonei", VpcID: "vpc-bp1ojac7bv448nifjl***", VSwitchID: "vsw-bp1fvuw0ljd7vzmo3d***", SecurityGroup: "sg-bp13wfx7kz9pkowc***",
		ServiceStatus: new(int64(5)), SpecType: "professional", DeployType: new(int64(5)), PaidType: new(int64(1)), DiskType: new(int64(1)),
		DiskSize: new(int64(3600)), IoMax: new(int64(20)), EipMax: new(int64(20)), MsgRetain: new(int64(72)), TopicNumLimit: new(int64(180)),
		CreateTime: 1577961819000, ExpiredTime: 1893581018000,
		EndPoint:           "192.168.0.XX:9092,192.168.0.XX:9092,192.168.0.XX:9092",
		SslEndPoint:        "192.0.2.XX:9093,198.51.100.XX:9093,203.0.113.XX:9093",
		DomainEndpoint:     domains("-vpc", "9092"),
		SslDomainEndpoint:  domains("", "9093"),
		SaslDomainEndpoint: domains("-vpc", "9094"),
		Tags:               []api.Tag{{Key: "test", Value: "test"}},
		Upgrade: struct {
			Version string `json:"Current2OpenSourceVersion"`
		}{"2.2.0"},
	}}},
	"GetAllInstanceIdList": &api.InstanceIDs{ByRegion: map[string][]string{
		"cn-shenzhen": {"alikafka_post-cn-7pp2btvo****"}, "us-west-1": {"alikafka_pre-cn-i7m2lxid****"},
		"cn-hangzhou": {"alikafka_pre-cn-i7m2hflj****", "alikafka_pre-cn-zvp2hsje****", "alikafka_pre-cn-zvp2kvc9****"},
	}},
	"GetConsumerList": &api.ConsumerList{Groups: []api.ConsumerGroup{{
		ConsumerID: "kafka-test", InstanceID: "alikafka_post-cn-v0h18sav****", Remark: "test", RegionID: "cn-hangzhou",
		Tags: []api.Tag{{Key: "test", Value: "test"}},
	}}},
	"GetTopicList": &api.TopicList{CurrentPage: 1, PageSize: 10, Total: new(1), Topics: []api.Topic{{
		Topic: "topic_name", InstanceID: "alikafka_pre-cn-0pp1954n****", RegionID: "cn-hangzhou", Status: new(int64(0)), StatusName: "服务中",
		PartitionNum: 6, Remark: "test", CreateTime: 1576563109000, Tags: []api.Tag{{Key: "Test", Value: "Test"}},
	}}},
	"ListTagResources": &api.ResourceTags{NextToken: "caeba0bbb2be03f84eb48b699f0a4883", Tags: []api.ResourceTag{{
		ResourceID: "alikafka_post-cn-v0h1fgs2****", ResourceType: "ALIYUN::ALIKAFKA::INSTANCE", TagKey: "FinanceDept", TagValue: "FinanceJoshua",
	}}},
	"DescribeSaslUsers": &api.SaslUsers{Users: []api.SaslUser{{Username: "test12***", Type: "scram"}}},
	"DescribeAcls": &api.ACLs{ACLs: []api.ACL{{
		Username: "test12***", Host: "*", ACLResourceType: "Topic", ACLResourceName: "demo", ACLResourcePatternType: "LITERAL", ACLOperationType: "Write",
	}}},
}

func domains(suffix, port string) string {
	var hosts []string
	for _, n := range []string{"1", "2", "3"} {
		hosts = append(hosts, "alikafka-pre-cn-zv**********-"+n+suffix+".alikafka.aliyuncs.com:"+port)
	}
	return strings.Join(hosts, ",")
}

func TestDocumentedSamplesDecodeToTheDocumentedValues(t *testing.T) {
	t.Parallel()
	refs := references(t)
	for action, want := range documented {
		for form, body := range refs[action].replies() {
			t.Run(action+" "+form, func(t *testing.T) {
				t.Parallel()
				got := api.ReplyForTest(action)
				if err := api.DecodeForTest(200, []byte(body), got); err != nil {
					t.Fatal(err)
				}
				if l, ok := got.(*api.InstanceList); ok {
					config, err := l.Instances[0].Config()
					if err != nil || config["kafka.log.retention.hours"] != "66" || config["enable.acl"] != "false" || len(config) != 4 {
						t.Errorf("AllConfig decodes to %v, %v", config, err)
					}
					l.Instances[0].AllConfig = ""
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestReplyShapes(t *testing.T) {
	t.Parallel()
	one := []api.Topic{{Topic: "a", PartitionNum: 3}}
	for name, tc := range map[string]struct {
		body string
		want []api.Topic
	}{
		"a bare array":                           {`{"TopicList":[{"Topic":"a","PartitionNum":3}]}`, one},
		"an array in a wrapper":                  {`{"TopicList":{"TopicVO":[{"Topic":"a","PartitionNum":"3"}]}}`, one},
		"a single object in a wrapper":           {`{"TopicList":{"TopicVO":{"Topic":"a","PartitionNum":3.0}}}`, one},
		"a single bare object":                   {`{"TopicList":{"Topic":"a","PartitionNum":3}}`, one},
		"a wrapper of the same name":             {`{"TopicList":{"TopicList":[{"Topic":"a","PartitionNum":3}]}}`, one},
		"an object with one known field":         {`{"TopicList":{"Topic":"a"}}`, []api.Topic{{Topic: "a"}}},
		"null":                                   {`{"TopicList":null}`, nil},
		"absent":                                 {`{}`, nil},
		"an empty object":                        {`{"TopicList":{}}`, nil},
		"an empty wrapper":                       {`{"TopicList":{"TopicVO":[]}}`, []api.Topic{}},
		"unknown fields":                         {`{"Extra":{"a":[1]},"TopicList":[{"Topic":"a","PartitionNum":3,"New":{"x":1}}]}`, one},
		"a field name in another case":           {`{"TopicList":[{"topic":"a","partitionNum":3}]}`, one},
		"nulls for values":                       {`{"TopicList":[{"Topic":"a","PartitionNum":3,"Status":null,"Remark":null}]}`, one},
		"XML repeated elements":                  {`<R><TopicList><Topic>a</Topic><PartitionNum>3</PartitionNum></TopicList></R>`, one},
		"XML wrapped elements":                   {`<R><TopicList><TopicVO><Topic>a</Topic><PartitionNum>3</PartitionNum></TopicVO></TopicList></R>`, one},
		"XML empty element":                      {`<?xml version="1.0"?><R><TopicList/></R>`, nil},
		"a byte order mark and blanks before":    {"\xef\xbb\xbf \n{\"TopicList\":[{\"Topic\":\"a\",\"PartitionNum\":3}]}", one},
		"Success as a string and Code as number": {`{"Success":"true","Code":200,"TopicList":[{"Topic":"a","PartitionNum":3}]}`, one},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got api.TopicList
			if err := api.DecodeForTest(200, []byte(tc.body), &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got.Topics); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestFailedReplies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		code   string
		class  api.Class
		id     string
	}{
		"an error body":                        {400, `{"RequestId":"r-1","HostId":"h","Code":"Throttling.User","Message":"m"}`, "Throttling.User", api.Throttled, "r-1"},
		"an XML error to a JSON request":       {404, `<?xml version='1.0'?><Error><RequestId>r-1</RequestId><Code>InvalidAccessKeyId.NotFound</Code></Error>`, "InvalidAccessKeyId.NotFound", api.Auth, "r-1"},
		"an error that HTTP calls a success":   {200, `{"Code":500,"Success":false,"RequestId":"r-1","Message":"no"}`, "500", api.Server, "r-1"},
		"Success as the string false":          {200, `{"Code":"BIZ_TOPIC_NOT_FOUND","Success":"false","RequestId":"r-1"}`, "BIZ_TOPIC_NOT_FOUND", api.NotFound, "r-1"},
		"Success false with Code 200":          {200, `{"Code":200,"Success":false,"RequestId":"r-1"}`, "failed", api.Server, "r-1"},
		"a code without Success":               {200, `{"Code":"InternalError","RequestId":"r-1"}`, "InternalError", api.Server, "r-1"},
		"an XML error that HTTP calls success": {200, `<Error><Code>Topic.NotFound</Code><RequestId>r-1</RequestId></Error>`, "Topic.NotFound", api.NotFound, "r-1"},
		"a gateway's page":                     {502, `<html><body><center><h1>502 Bad Gateway</h1></body></html>`, "unreadable_reply", api.Server, ""},
		"a gateway's page with status 200":     {200, `<!DOCTYPE html><html><p>hi<br></html>`, "unreadable_reply", api.Server, ""},
		"plain text":                           {200, `upstream connect error`, "unreadable_reply", api.Server, ""},
		"an empty body":                        {200, ``, "unreadable_reply", api.Server, ""},
		"a truncated body":                     {200, `{"TopicList":[{"Topic":"a"`, "unreadable_reply", api.Server, ""},
		"truncated XML":                        {200, `<R><TopicList><Topic>a</Top`, "unreadable_reply", api.Server, ""},
		"two values":                           {200, `{} {}`, "unreadable_reply", api.Server, ""},
		"an unknown code with a 4xx":           {400, `{"Code":"Brand.New","RequestId":"r-1"}`, "Brand.New", api.Invalid, "r-1"},
		"an unknown code with a 5xx":           {503, `{"Code":"Brand.New","RequestId":"r-1"}`, "Brand.New", api.Server, "r-1"},
		"a server failure that is a 400":       {400, `{"Code":"ONS_SYSTEM_ERROR","RequestId":"r-1"}`, "ONS_SYSTEM_ERROR", api.Server, "r-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got api.TopicList
			err := api.DecodeForTest(tc.status, []byte(tc.body), &got)
			var e *api.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Code != tc.code || e.Class != tc.class || e.RequestID != tc.id || e.Status != tc.status {
				t.Errorf("got code %s class %s RequestId %s status %d", e.Code, e.Class, e.RequestID, e.Status)
			}
		})
	}
}

func TestMisfitsNameTheirPlaceAndNotTheirValue(t *testing.T) {
	t.Parallel()
	var got api.TopicStatus
	err := api.DecodeForTest(200, []byte(`{"TopicStatus":{"OffsetTable":{"OffsetTable":[{"MaxOffset":1},{"MaxOffset":"hunter2"}]}}}`), &got)
	if err == nil || !strings.Contains(err.Error(), "TopicStatus.OffsetTable.OffsetTable[1].MaxOffset is not an integer") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestMessagesNeverRepeatTheStringToSign(t *testing.T) {
	t.Parallel()
	var got api.TopicList
	body := `{"Code":"SignatureDoesNotMatch","RequestId":"r-1","Message":"Specified signature is not matched with our calculation. server string to sign is:POST&%2F&Password%3Dhunter2"}`
	err := api.DecodeForTest(400, []byte(body), &got)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestClassOfEveryDocumentedCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]api.Class{
		"ONS_SYSTEM_FLOW_CONTROL": api.Throttled, "FlowControl": api.Throttled, "Throttling.Brand.New": api.Throttled,
		"SignatureNonceUsed": api.Nonce, "InvalidApi.NotFound": api.Invalid, "InvalidAccessKeyId.NotFound": api.Auth,
		"InsufficientBalance": api.Balance, "Group.NotFound": api.NotFound, "Topic.Exist": api.State,
	} {
		if got := api.ClassifyForTest(code, 400); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
		if code != "Throttling.Brand.New" && api.CodeLabel(code) != code {
			t.Errorf("%s is not a label value", code)
		}
	}
	if l := api.CodeLabel("Brand.New"); l != "other" {
		t.Errorf("label of an unknown code is %q", l)
	}
}

func FuzzReply(f *testing.F) {
	refs := references(f)
	for _, ref := range refs {
		for _, body := range ref.replies() {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(_ *testing.T, body []byte) {
		for _, a := range api.Actions() {
			into := api.ReplyForTest(a.Name)
			_ = api.DecodeForTest(200, body, into)
			if l, ok := into.(*api.InstanceList); ok {
				for i := range l.Instances {
					_, _ = l.Instances[i].Config()
				}
			}
		}
	})
}

// FuzzListShapes checks that the same topics come out of every list shape.
func FuzzListShapes(f *testing.F) {
	f.Add("a", int64(3), "b", int64(-1))
	f.Fuzz(func(t *testing.T, a string, n int64, b string, m int64) {
		type item struct {
			Topic        string
			PartitionNum int64
		}
		items, err := json.Marshal([]item{{a, n}, {b, m}})
		if err != nil {
			t.Skip()
		}
		var want, got api.TopicList
		if err := api.DecodeForTest(200, []byte(`{"TopicList":`+string(items)+`}`), &want); err != nil {
			t.Fatal(err)
		}
		for _, shape := range []string{`{"TopicList":{"TopicVO":%}}`, `{"TopicList":{"TopicList":%}}`} {
			got = api.TopicList{}
			if err := api.DecodeForTest(200, []byte(strings.Replace(shape, "%", string(items), 1)), &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", shape, d)
			}
		}
	})
}

// Zero is a partition and an offset: what a reply does not say of them is
// something else.
func TestWhatIsNotSaidOfAPartitionIsNotZero(t *testing.T) {
	t.Parallel()
	progress := api.ConsumerOffsets{Partition: -1, ConsumerOffset: -1, BrokerOffset: -1}
	status := api.TopicOffsets{Partition: -1, MinOffset: -1, MaxOffset: -1}
	for _, partition := range []string{
		`{"LastTimestamp":0}`, `null`, `{"Partition":null,"ConsumerOffset":null,"BrokerOffset":null,"MinOffset":null,"MaxOffset":null}`,
		`{"Partition":"","ConsumerOffset":"","BrokerOffset":" ","MinOffset":"","MaxOffset":" "}`,
		`{"Partition":7,"ConsumerOffset":7,"BrokerOffset":7,"MinOffset":7,"MaxOffset":7,"Partition":null,"ConsumerOffset":"","BrokerOffset":null,"MinOffset":"","MaxOffset":null}`,
	} {
		body := `{"ConsumerProgress":{"TopicList":[{"OffsetList":[` + partition + `]}]},"TopicStatus":{"OffsetTable":[` + partition + `]}}`
		if got, _ := agree[api.ConsumerProgress](t, 200, []byte(body)); got.Progress.Topics[0].Offsets[0] != progress {
			t.Errorf("%s: %+v", partition, got)
		}
		if got, _ := agree[api.TopicStatus](t, 200, []byte(body)); got.TopicStatus.Offsets[0] != status {
			t.Errorf("%s: %+v", partition, got)
		}
	}
	var got api.TopicStatus
	body := `<R><TopicStatus><OffsetTable><OffsetTable><Partition>3</Partition><MinOffset/><MaxOffset> </MaxOffset></OffsetTable></OffsetTable></TopicStatus></R>`
	if err := api.DecodeForTest(200, []byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if status.Partition = 3; len(got.TopicStatus.Offsets) != 1 || got.TopicStatus.Offsets[0] != status {
		t.Errorf("XML: %+v", got)
	}
}
