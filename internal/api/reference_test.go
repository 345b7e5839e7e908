package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// reference is what the documents say of an action: those of 2022, and for
// the actions and parameters that came later the official SDK. It was written
// down apart from the table, so that each can be checked against the other.
type reference struct {
	Name            string
	Documented      bool // in 2022; the others are the SDK's
	Mutating        bool
	Effect          string
	EffectSecondary []string `json:"effect_secondary"`
	Repeatable      bool
	QPS             float64
	RAM             string
	RAMInferred     string `json:"ram_inferred"`
	Params          []struct {
		Name       string
		Type       string
		Required   bool
		Secret     bool
		In         []string
		Range      []int64
		Most       int
		NameLength []int `json:"name_length"`
		MaxLength  int   `json:"max_length"`
	}
	KeysInJSON       []string `json:"keys_in_json"`
	Fields           []string // of the reply, in the shape that the service sends
	Request          string
	RequestCorrected string          `json:"request_corrected"`
	ReplyJSON        json.RawMessage `json:"reply_json"`
	ReplyJSONWire    json.RawMessage `json:"reply_json_wire"`
	ReplyXML         string          `json:"reply_xml"`
}

// references returns the reference by action.
func references(t testing.TB) map[string]reference {
	t.Helper()
	m := map[string]reference{}
	for _, ref := range readJSON[[]reference](t, "reference.json") {
		m[ref.Name] = ref
	}
	return m
}

// replies returns the sample replies by form.
func (r reference) replies() map[string]string {
	m := map[string]string{"JSON": string(r.ReplyJSON), "JSON as the service sends it": string(r.ReplyJSONWire), "XML": r.ReplyXML}
	maps.DeleteFunc(m, func(_, body string) bool { return body == "" || body == "null" })
	return m
}

// exceptions are the places where the table says something else than the
// documents, with the reason.
var exceptions = map[string]string{
	"UpdateInstanceConfig effect":   "brokers restart whatever is set; guards look at the keys for the rest",
	"UpgradeInstanceVersion effect": "brokers restart",
	"ChangeResourceGroup effect":    "permissions are granted by resource group",

	"CreatePostPayOrder TopicQuota required":  "by rule: serverless instances have sizes of their own",
	"CreatePostPayOrder DiskType required":    "by rule: serverless instances have sizes of their own",
	"CreatePostPayOrder DiskSize required":    "by rule: serverless instances have sizes of their own",
	"CreatePrePayOrder TopicQuota required":   "by rule: Confluent instances have sizes of their own",
	"CreatePrePayOrder DiskType required":     "by rule: Confluent instances have sizes of their own",
	"CreatePrePayOrder DiskSize required":     "by rule: Confluent instances have sizes of their own",
	"CreatePrePayOrder DeployType required":   "by rule: Confluent instances have sizes of their own",
	"UpgradePostPayOrder TopicQuota required": "by rule: serverless instances have sizes of their own",
	"UpgradePostPayOrder DiskSize required":   "by rule: serverless instances have sizes of their own",
	"UpgradePrePayOrder TopicQuota required":  "by rule: Confluent instances have sizes of their own",
	"UpgradePrePayOrder DiskSize required":    "by rule: Confluent instances have sizes of their own",

	"CreateTopic PartitionNum type":    "a number, documented as text",
	"GetTopicList CurrentPage type":    "a number, documented as text",
	"GetTopicList PageSize type":       "a number, documented as text",
	"UpdateConsumerOffset Time type":   "a number, documented as text",
	"QueryMessage Offset type":         "a number, documented as text",
	"QueryMessage Partition type":      "a number, documented as text",
	"StartInstance Config type":        "JSON, documented as text",
	"StartInstance SelectedZones type": "JSON, documented as text",
	"UpdateInstanceConfig Config type": "JSON, documented as text",

	"StartInstance ServiceVersion values":         "the service has had newer versions since",
	"UpgradeInstanceVersion TargetVersion values": "the service has had newer versions since",
	"UpdateAllowedIp PortRange values":            "the documents' own sample and the SDK have 9094 and 9095",
	"DescribeAcls AclResourceType values":         "CreateAcl can create entries of the other types",
	"DeleteAcl AclResourceType values":            "CreateAcl can create entries of the other types",
	"DeleteAcl AclOperationType values":           "CreateAcl can create entries of the other operations",

	"ConvertPostPayOrder PaidType values":   "the values that the SDK lists for the others",
	"CreatePostPayOrder PaidType values":    "listed by the SDK in prose",
	"CreatePrePayOrder PaidType values":     "listed by the SDK in prose",
	"CreatePostPayInstance PaidType values": "listed by the SDK in prose",
	"CreatePrePayInstance PaidType values":  "listed by the SDK in prose",
	"UpgradePrePayOrder PaidType values":    "listed by the SDK in prose",
	"DowngradePrePayOrder PaidType values":  "listed by the SDK in prose",
	"CreatePrePayOrder Duration values":     "months, as of ConvertPostPayOrder",
	"CreatePrePayInstance Duration values":  "months, as of ConvertPostPayOrder",
	"UpdateTopicConfig Config values":       "listed by the SDK in prose",

	"StartInstance Name name":                    "named like ModifyInstanceName does",
	"ModifyTopicRemark Remark name":              "as in CreateTopic, by the text",
	"EnableAutoTopicCreation PartitionNum range": "as of a topic",
}

// compare returns how the table differs from the documents, sorted, and the
// exceptions among the differences.
func compare(rows []*api.Action, refs []reference) (found []string, excused map[string]bool) {
	excused = map[string]bool{}
	differ := func(what string, args ...any) {
		what, detail, _ := strings.Cut(fmt.Sprintf(what, args...), ": ")
		if _, ok := exceptions[what]; ok {
			excused[what] = true
		} else {
			found = append(found, what+": "+detail)
		}
	}
	byName := map[string]*api.Action{}
	for _, a := range rows {
		byName[a.Name] = a
	}
	for _, ref := range refs {
		a := byName[ref.Name]
		if a == nil {
			differ("%s: has no row", ref.Name)
			continue
		}
		delete(byName, ref.Name)
		if want := ref.effect(); a.Effect != want {
			differ("%s effect: %s, documented as %s", a.Name, a.Effect, want)
		}
		if a.Repeatable != ref.Repeatable {
			differ("%s repeatable: %t", a.Name, a.Repeatable)
		}
		if a.QPS != ref.QPS {
			differ("%s QPS: %v, documented as %v", a.Name, a.QPS, ref.QPS)
		}
		switch {
		case ref.RAM != "" && (a.RAM != ref.RAM || a.RAMInferred),
			ref.RAMInferred != "" && a.RAM != ref.RAMInferred,
			ref.RAM == "" && !a.RAMInferred:
			differ("%s RAM: %s (inferred: %t), documented as %q, else %q", a.Name, a.RAM, a.RAMInferred, ref.RAM, ref.RAMInferred)
		}
		compareParams(differ, a, ref)
	}
	for name := range byName {
		differ("%s: is in no document", name)
	}
	slices.Sort(found)
	return found, excused
}

func compareParams(differ func(string, ...any), a *api.Action, ref reference) {
	params := map[string]api.Param{}
	for _, p := range a.Params {
		params[p.Name] = p
	}
	for _, want := range ref.Params {
		p, ok := params[want.Name]
		if !ok {
			differ("%s %s: is missing", a.Name, want.Name)
			continue
		}
		delete(params, want.Name)
		if p.Required != want.Required {
			differ("%s %s required: %t, documented as %t", a.Name, p.Name, p.Required, want.Required)
		}
		if p.Secret != want.Secret {
			differ("%s %s secret: %t, documented as %t", a.Name, p.Name, p.Secret, want.Secret)
		}
		if p.Type != want.Type {
			differ("%s %s type: %s, documented as %s", a.Name, p.Name, p.Type, want.Type)
		}
		if !slices.Equal(p.In, want.In) {
			differ("%s %s values: %q, documented as %q", a.Name, p.Name, p.In, want.In)
		}
		// A lower bound alone is our reading of what is a count or a time.
		if p.Max != nil && !slices.Equal([]int64{*p.Min, *p.Max}, want.Range) || p.Max == nil && want.Range != nil {
			differ("%s %s range: documented as %v", a.Name, p.Name, want.Range)
		}
		if got := []int{p.MinLength, p.MaxLength}; p.MaxLength > 0 && !slices.Equal(got, want.NameLength) || p.MaxLength == 0 && want.NameLength != nil {
			differ("%s %s name: %v, documented as %v", a.Name, p.Name, got, want.NameLength)
		}
	}
	for name := range params {
		differ("%s %s: is in no document", a.Name, name)
	}
}

// effect is the worst of the documented kinds of effect.
func (r reference) effect() api.Effect {
	kinds := map[string]api.Effect{
		"": api.Read, "create": api.Write, "label": api.Write, "capacity": api.Write, "config": api.Write,
		"security": api.Secure, "destructive": api.Destroy, "billing": api.Bill,
	}
	worst := kinds[r.Effect]
	for _, kind := range r.EffectSecondary {
		worst = max(worst, kinds[kind])
	}
	return worst
}

func TestTheTableIsWhatTheDocumentsSay(t *testing.T) {
	t.Parallel()
	refs := readJSON[[]reference](t, "reference.json")
	if len(refs) != 57 {
		t.Fatalf("%d actions in the reference", len(refs))
	}
	found, excused := compare(api.Actions(), refs)
	for _, difference := range found {
		t.Error(difference)
	}
	for exception := range exceptions {
		if !excused[exception] {
			t.Errorf("no exception any more: %s", exception)
		}
	}
}

// TestAChangedTableIsNoticed changes copies of the table in every way in which
// it can go wrong.
func TestAChangedTableIsNoticed(t *testing.T) {
	t.Parallel()
	refs := readJSON[[]reference](t, "reference.json")
	param := func(a *api.Action, name string) *api.Param {
		return &a.Params[slices.IndexFunc(a.Params, func(p api.Param) bool { return p.Name == name })]
	}
	for name, tc := range map[string]struct {
		action string
		change func(*api.Action)
		want   string
	}{
		"an action of another name":    {"DeleteTopic", func(a *api.Action) { a.Name = "DropTopic" }, "DeleteTopic: has no row"},
		"a milder effect":              {"DeleteTopic", func(a *api.Action) { a.Effect = api.Write }, "DeleteTopic effect: Write, documented as Destroy"},
		"a mutation called a read":     {"CreateTopic", func(a *api.Action) { a.Effect = api.Read }, "CreateTopic effect: Read, documented as Write"},
		"a read called a mutation":     {"GetTopicList", func(a *api.Action) { a.Effect = api.Write }, "GetTopicList effect: Write, documented as Read"},
		"a repeatable increment":       {"ModifyPartitionNum", func(a *api.Action) { a.Repeatable = true }, "ModifyPartitionNum repeatable: true"},
		"another limit":                {"CreateTopic", func(a *api.Action) { a.QPS = 20 }, "CreateTopic QPS: 20, documented as 1"},
		"a forgotten limit":            {"StartInstance", func(a *api.Action) { a.QPS = 0 }, "StartInstance QPS: 0, documented as 2"},
		"another RAM action":           {"GetTopicList", func(a *api.Action) { a.RAM = "alikafka:ReadOnly" }, `GetTopicList RAM: alikafka:ReadOnly (inferred: false), documented as "alikafka:ListTopic", else ""`},
		"a RAM action of no document":  {"StopInstance", func(a *api.Action) { a.RAMInferred = false }, `StopInstance RAM: alikafka:StopInstance (inferred: false), documented as "", else ""`},
		"a forgotten parameter":        {"CreateTopic", func(a *api.Action) { a.Params = a.Params[1:] }, "CreateTopic RegionId: is missing"},
		"an invented parameter":        {"DeleteTopic", func(a *api.Action) { a.Params = append(a.Params, api.Param{Name: "Force"}) }, "DeleteTopic Force: is in no document"},
		"a parameter no more required": {"CreateTopic", func(a *api.Action) { param(a, "Remark").Required = false }, "CreateTopic Remark required: false, documented as true"},
		"a parameter newly required":   {"ModifyTopicRemark", func(a *api.Action) { param(a, "Remark").Required = true }, "ModifyTopicRemark Remark required: true, documented as false"},
		"a secret that is none":        {"CreateSaslUser", func(a *api.Action) { param(a, "Password").Secret = false }, "CreateSaslUser Password secret: false, documented as true"},
		"another type":                 {"CreateTopic", func(a *api.Action) { param(a, "LocalTopic").Type = "string" }, "CreateTopic LocalTopic type: string, documented as boolean"},
		"a value too many":             {"UpdateAllowedIp", func(a *api.Action) { p := param(a, "UpdateType"); p.In = append(p.In, "replace") }, `UpdateAllowedIp UpdateType values: ["add" "delete" "replace"], documented as ["add" "delete"]`},
		"another range":                {"CreateTopic", func(a *api.Action) { param(a, "PartitionNum").Max = new(int64(1000)) }, "CreateTopic PartitionNum range: documented as [1 360]"},
		"no range":                     {"CreateTopic", func(a *api.Action) { param(a, "PartitionNum").Max = nil }, "CreateTopic PartitionNum range: documented as [1 360]"},
		"another length":               {"CreateConsumerGroup", func(a *api.Action) { param(a, "ConsumerId").MaxLength = 64 }, "CreateConsumerGroup ConsumerId name: [3 64], documented as [3 128]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rows []*api.Action
			for _, a := range api.Actions() {
				a := *a
				a.Params = slices.Clone(a.Params)
				if a.Name == tc.action {
					tc.change(&a)
				}
				rows = append(rows, &a)
			}
			if found, _ := compare(rows, refs); len(found) == 0 || found[0] != tc.want || len(found) > 2 {
				t.Errorf("got  %q\nwant %q", found, tc.want)
			}
		})
	}
	var without []*api.Action
	for _, a := range api.Actions() {
		if a.Name != "DeleteTopic" {
			without = append(without, a)
		}
	}
	if found, _ := compare(without, refs); len(found) != 1 || found[0] != "DeleteTopic: has no row" {
		t.Errorf("a forgotten row: %q", found)
	}
}

// TestKeysInJSONAreTheDocumentedOnes sends each documented key of a value that
// is JSON, and one that is in no document.
func TestKeysInJSONAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	for action, ref := range references(t) {
		for _, key := range ref.KeysInJSON {
			name, key, _ := strings.Cut(key, ".")
			value := `{"` + key + `":1}`
			if list, ok := strings.CutSuffix(name, "[]"); ok {
				name, value = list, `[{"`+key+`":1}]`
			}
			for _, value := range []string{value, strings.Replace(value, key, key+"s", 1)} {
				err := fmt.Sprint(api.Validate(action, map[string]string{name: value}))
				if known := strings.Contains(value, key+`"`); strings.Contains(err, name+" has a key that is not known") == known {
					t.Errorf("%s: %s=%s: %s", action, name, value, err)
				}
			}
		}
	}
}

// TestConfirmingReads checks that every mutation is confirmed by a read of the
// table, but for those of which nothing that can be read says anything.
func TestConfirmingReads(t *testing.T) {
	t.Parallel()
	for _, a := range api.Actions() {
		switch read, ok := api.Lookup(a.Confirm); {
		case a.Effect == api.Read || a.Name == "FailoverTest":
			if a.Confirm != "" {
				t.Errorf("%s is confirmed by %s", a.Name, a.Confirm)
			}
		case !ok || read.Effect != api.Read:
			t.Errorf("%s is confirmed by %q, which is no read", a.Name, a.Confirm)
		}
	}
}
