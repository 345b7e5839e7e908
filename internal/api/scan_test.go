package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// agree holds the scanner to the general decoder: what it takes, it must
// decode to the same. It reports whether it took the reply.
func agree[R any](t *testing.T, status int, body []byte) (R, bool) {
	t.Helper()
	var got, untouched, want R
	given := slices.Clone(body)
	id, ok := api.ScanForTest(status, given, &got)
	if !slices.Equal(given, body) {
		t.Fatal("the scanner wrote to the reply")
	}
	for i := range given { // nothing may refer to it
		given[i] = '!'
	}
	if !ok {
		if !reflect.DeepEqual(got, untouched) {
			t.Fatalf("refused and yet filled: %+v", got)
		}
		return got, false
	}
	wantID, err := api.GeneralForTest(status, body, &want)
	if err != nil || id != wantID || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nRequestId %q, want %q, %v; (-general +scanner):\n%s", body, id, wantID, err, cmp.Diff(want, got))
	}
	return got, true
}

func TestScannerTakesWhatTheServiceSends(t *testing.T) {
	t.Parallel()
	status := func(offsets string) string {
		return `{"Code":200,"TopicStatus":{"TotalCount":3,"OffsetTable":` + offsets + `},"Success":true}`
	}
	progress := func(partition string) string {
		return `{"ConsumerProgress":{"TopicList":{"TopicList":[{"Topic":"t","OffsetList":{"OffsetList":[` + partition + `]}}]}}}`
	}
	for name, body := range map[string]string{
		"an empty object":                `{}`,
		"an object without the payload":  `{"RequestId":"r","Code":"200","Success":"true"}`,
		"a payload of null":              `{"TopicStatus":null,"ConsumerProgress":null}`,
		"an empty payload":               `{"TopicStatus":{},"ConsumerProgress":{}}`,
		"a bare list":                    status(`[{"Partition":0,"MaxOffset":7},{"Partition":1,"Topic":"t"}]`),
		"a list in a wrapper":            status(`{"OffsetTable":[{"Partition":0,"MaxOffset":7},{"Partition":1,"Topic":"t"}]}`),
		"a list in another wrapper":      status(`{"OffsetVO":[{"Partition":0,"MaxOffset":7}]}`),
		"a single object":                status(`{"Topic":"t","MaxOffset":7,"Unknown":[{}]}`),
		"a single object in a wrapper":   status(`{"OffsetTable":{"Topic":"t"}}`),
		"an empty list":                  status(`[]`),
		"an empty wrapper":               status(`{"OffsetTable":[ ]}`),
		"a list of null":                 status(`null`),
		"a wrapper of null":              status(`{"OffsetTable":null}`),
		"no element":                     status(`{}`),
		"an element of null":             status(`[null,{"Partition":4},null]`),
		"an element without fields":      status(`[{},{"Partition":4},{ }]`),
		"a field that comes twice":       status(`[{"Partition":4,"MaxOffset":8,"Partition":5,"MaxOffset":null}]`),
		"a payload that comes twice":     `{"TopicStatus":{"TotalCount":3,"OffsetTable":[{}]},"TopicStatus":{"LastTimeStamp":4}}`,
		"strings for numbers":            status(`[{"Partition":"3","MaxOffset":"-7","MinOffset":"","LastUpdateTimestamp":" 1566470063575 "}]`),
		"odd numbers":                    status(`[{"Partition":3.0,"MaxOffset":1.5664e12,"MinOffset":-0,"LastUpdateTimestamp":"+7"}]`),
		"leading zeros in a string":      status(`[{"Partition":"003"}]`),
		"the largest numbers":            status(`[{"Partition":2147483647,"MaxOffset":9223372036854775807,"MinOffset":-9223372036854775808}]`),
		"a number for a string":          status(`[{"Topic":12.50}]`),
		"a boolean for a string":         status(`[{"Topic":true}]`),
		"null for everything":            status(`[{"Partition":null,"MaxOffset":null,"Topic":null}]`),
		"white space":                    " \n{ \"TopicStatus\" :\t{ \"OffsetTable\" : [ { \"Partition\" : 1 , \"MaxOffset\" : \"2\" } , { } ] } }\r\n",
		"unknown fields of every shape":  progress(`{"A":1,"B":-2.5e-7,"C":"\u00e9\"\\","D":[1,[2],{"e":"]}"}],"E":{"f":{}},"F":null,"G":true,"Partition":1,"H":""}`),
		"escapes":                        progress(`{"MemberId":"a\u003db\ud83d\ude00\n","ClientId":"\"","ClientIp":"\/10.0.0.1"},{"MemberId":"a\u003db\ud83d\ude00\n","ClientId":"\\","ClientIp":"\/10.0.0.1"}`),
		"half a surrogate":               progress(`{"MemberId":"\ud83d","ClientId":"\ud83dx"}`),
		"characters that are not ASCII":  progress(`{"MemberId":"消费者","ClientId":"é"},{"MemberId":"消费者"}`),
		"members that change":            progress(`{"MemberId":"a","ClientId":"x"},{"MemberId":"b","ClientId":""},{"MemberId":"a"},{"MemberId":"","ClientId":"x"}`),
		"a state and rebalances":         `{"ConsumerProgress":{"state":"stable","RebalanceInfoList":{"RebalanceInfoList":[{"Generation":"4","GroupId":"g","RebalanceSuccess":"true","Reason":"member \"x\" left","LastRebalanceTimestamp":1,"RebalanceTimeConsuming":2}]}}}`,
		"an empty state":                 `{"ConsumerProgress":{"state":"","RebalanceInfoList":[{"RebalanceSuccess":false},{"RebalanceSuccess":1}]}}`,
		"a message with an odd encoding": "{\"Message\":\"\\u64cd\xe4\xbd\x9c\",\"HostId\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, status := agree[api.TopicStatus](t, 200, []byte(body))
			_, progress := agree[api.ConsumerProgress](t, 200, []byte(body))
			if !status || !progress {
				t.Errorf("refused: status %t, progress %t", !status, !progress)
			}
		})
	}
}

func TestScannerLeavesTheRestToTheGeneralDecoder(t *testing.T) {
	t.Parallel()
	offsets := func(o string) string { return `{"TopicStatus":{"OffsetTable":[` + o + `]}}` }
	for name, body := range map[string]string{
		"nothing":                          ``,
		"XML":                              `<R><Code>200</Code></R>`,
		"a byte order mark":                "\xef\xbb\xbf{}",
		"a failure":                        `{"Code":"Topic.NotFound","Success":false}`,
		"a failure by code alone":          `{"Code":"Topic.NotFound"}`,
		"a failure in words":               `{"Success":"false"}`,
		"an envelope that does not fit":    `{"Code":{}}`,
		"a success that is neither":        `{"Success":"maybe"}`,
		"two values":                       `{} {}`,
		"a list":                           `[]`,
		"a field in another case":          offsets(`{"partition":1}`),
		"the payload in another case":      `{"topicstatus":{}}`,
		"the envelope in another case":     `{"success":false}`,
		"a key with an escape":             offsets(`{"\u0050artition":1}`),
		"a key with a quote":               offsets(`{"a\"b":1}`),
		"a key with a control character":   offsets("{\"a\tb\":1}"),
		"a wrapper in a wrapper":           `{"TopicStatus":{"OffsetTable":{"a":{"b":[{}]}}}}`,
		"a wrapper and something else":     `{"TopicStatus":{"OffsetTable":{"a":[{}],"b":1}}}`,
		"a wrapper that comes twice":       `{"TopicStatus":{"OffsetTable":{"a":[{}],"a":[{}]}}}`,
		"an object of an unknown field":    `{"TopicStatus":{"OffsetTable":{"a":1}}}`,
		"a list for an object":             `{"TopicStatus":[{}]}`,
		"a string for an object":           `{"TopicStatus":""}`,
		"a string for a list":              `{"TopicStatus":{"OffsetTable":""}}`,
		"an element that is a list":        offsets(`[{}]`),
		"an element that is a number":      offsets(`1`),
		"an object for a number":           offsets(`{"Partition":{}}`),
		"a word for a number":              offsets(`{"Partition":"one"}`),
		"a boolean for a number":           offsets(`{"Partition":true}`),
		"a fraction":                       offsets(`{"Partition":1.5}`),
		"a partition out of range":         offsets(`{"Partition":2147483648}`),
		"a number out of range":            offsets(`{"MaxOffset":9223372036854775808}`),
		"leading zeros":                    offsets(`{"Partition":03}`),
		"a number without digits":          offsets(`{"Partition":-}`),
		"a plus sign":                      offsets(`{"Partition":+3}`),
		"hexadecimal digits":               offsets(`{"Partition":0x3}`),
		"a number that ends in a quote":    offsets(`{"Partition":3"}`),
		"a string that ends in a comma":    offsets(`{"Partition":"3,"}`),
		"a word that is none":              offsets(`{"Partition":nil}`),
		"a comma too much":                 offsets(`{"Partition":1,}`),
		"a comma too much in a list":       offsets(`{},`),
		"a comma too few":                  offsets(`{"Partition":1 "Topic":"t"}`),
		"a comma first":                    offsets(`{,"Partition":1}`),
		"a colon too few":                  offsets(`{"Partition" 1}`),
		"a bracket of the other kind":      offsets(`{"A":[1}}`),
		"a broken unknown field":           offsets(`{"A":[1,]}`),
		"a broken unknown word":            offsets(`{"A":tru}`),
		"a broken escape":                  offsets(`{"A":"\x41"}`),
		"a broken escape in a kept string": offsets(`{"Topic":"\u00g0"}`),
		"a control character":              offsets("{\"A\":\"\n\"}"),
		"a control character in a name":    offsets("{\"Topic\":\"a\nb\"}"),
		"a control character between":      "{\x00}",
		"invalid UTF-8 in a kept string":   offsets("{\"Topic\":\"\xff\"}"),
		"a number that a comma cuts short": offsets(`{"Partition":"3,"MaxOffset":4}`),
		"a key that folds to a field":      `{"TopicStatus":{"OffsetTable":{"MaxOffſet":[{"Partition":1}]}}}`,
		"a string cut at an escaped quote": offsets(`{"Topic":"a\\"},{"Topic":"a\\\"}`),
		"nesting just too deep":            `{"A":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"nesting without end":              `{"A":` + strings.Repeat("[", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r, ok := agree[api.TopicStatus](t, 200, []byte(body)); ok {
				t.Errorf("taken: %+v", r)
			}
		})
	}
	if r, ok := agree[api.ConsumerProgress](t, 200, []byte("{\"ConsumerProgress\":{\"TopicList\":[{\"OffsetList\":[{\"MemberId\":\"\xff\"}]}]}}")); ok {
		t.Errorf("taken with invalid UTF-8: %+v", r)
	}
	whole := progressReply(3)
	for n := range whole {
		if _, ok := agree[api.ConsumerProgress](t, 200, whole[:n]); ok {
			t.Errorf("taken when cut after %d of %d bytes", n, len(whole))
		}
	}
	if _, ok := agree[api.ConsumerProgress](t, 500, whole); ok {
		t.Error("taken with HTTP 500")
	}
	if _, ok := api.ScanForTest(200, []byte(`{}`), new(api.TopicList)); ok {
		t.Error("another reply was taken")
	}
}

// writer writes random replies. An odd one also has what the service does not
// send.
type writer struct {
	*rand.Rand
	strings.Builder
	odd bool
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

// rarely is true now and then, and only in an odd reply.
func (w *writer) rarely() bool { return w.odd && w.IntN(60) == 0 }

func (w *writer) space() {
	if w.IntN(20) == 0 {
		w.WriteString(w.one(" ", "\n\t", "\r\n  "))
	}
}

// object writes an object of fields in any order, with unknown ones between.
func (w *writer) object(fields map[string]func()) {
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range fields {
			if w.IntN(8) > 0 && !yield(name) {
				return
			}
		}
	})
	w.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if len(names) > 0 && w.IntN(3) == 0 { // not first: see single objects
		names = slices.Insert(names, 1+w.IntN(len(names)), w.one("Accumulate", "HostId", "x", "Topicx"))
	}
	if w.rarely() && len(names) > 0 {
		names = append(names, w.one(names...))
	}
	w.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			w.WriteByte(',')
		}
		w.space()
		if w.rarely() {
			name = w.one(strings.ToLower(name), name+"ſ", name+`\u0041`, "")
		}
		fmt.Fprintf(w, `"%s"`, name)
		w.space()
		w.WriteByte(':')
		w.space()
		switch write := fields[name]; {
		case write == nil || w.rarely():
			w.any(3)
		case w.IntN(20) == 0:
			w.WriteString("null")
		default:
			write()
		}
		w.space()
	}
	w.WriteByte('}')
}

func (w *writer) any(depth int) {
	switch w.IntN(6 + min(depth, 2)) {
	case 0:
		w.number()
	case 1:
		w.text()
	case 2:
		w.WriteString(w.one("true", "false", "null"))
	case 3:
		w.WriteString(w.one("1e9", "-0.5E-3", "0", "-0", "12345678901234567890"))
	case 4:
		w.WriteString(w.one("[]", "{}", `""`, `[{"a":[]}]`, `"]}"`))
	case 5:
		if w.rarely() {
			w.WriteString(w.one("01", "nul", "[1,]", `"\x"`, "", "{\"a\"}", "\"\x01\""))
			return
		}
		w.WriteByte('1')
	case 6:
		w.WriteByte('[')
		w.any(depth - 1)
		w.WriteByte(',')
		w.any(depth - 1)
		w.WriteByte(']')
	case 7:
		w.WriteString(`{"Partition":`)
		w.any(depth - 1)
		w.WriteByte('}')
	}
}

func (w *writer) number() {
	n := w.Int64() >> w.IntN(64)
	if w.IntN(4) == 0 {
		n = -n
	}
	fmt.Fprintf(w, w.one("%d", `"%d"`), n)
}

func (w *writer) small() { fmt.Fprintf(w, w.one("%d", `"%d"`, "%d.0", `" %d"`), w.IntN(1000)) }

func (w *writer) text() {
	if w.rarely() {
		w.WriteString(w.one(`"`, `\`, "\"\xff\"", "\"a\xff\\n\"", `"a\`))
		return
	}
	w.WriteString(w.one(
		`"orders"`, `"my.topic"`, `"a-b_c-0123456789"`, `"consumer-1-7b0c4b3e-6a55-4ad0"`, `"/10.0.0.1"`, `""`, `"\\"`, `"\""`, `"\\\""`,
		`"a\u003db"`, `"消费者"`, `"\ud83d\ude00"`, `"\ud83d"`, `12`, `-1.50`, `true`, `"null"`, `"a\\"`, `"a"`))
}

func (w *writer) flag() { w.WriteString(w.one("true", "false", `"true"`, `"False"`, "1", "0", `""`)) }

// list writes elements in one of the shapes of lists.
func (w *writer) list(name string, element func()) {
	wrapper := w.one("", "", name, name, "SomeVO")
	if w.rarely() {
		wrapper = w.one("Partition", "Topic", "", "ſ")
	}
	if wrapper != "" {
		fmt.Fprintf(w, `{"%s":`, wrapper)
		defer w.WriteByte('}')
	}
	w.space()
	if n := w.IntN(5); n == 0 {
		w.WriteString(w.one("[]", "{}", "null", "[ ]"))
	} else if w.odd && w.IntN(8) == 0 {
		element()
	} else {
		w.WriteByte('[')
		for i := range n {
			if i > 0 {
				w.WriteByte(',')
			}
			if w.IntN(30) == 0 {
				w.WriteString("null")
			} else {
				element()
			}
		}
		w.WriteByte(']')
	}
}

func (w *writer) reply() {
	partition := func() {
		w.object(map[string]func(){
			"Partition": w.small, "ConsumerOffset": w.number, "BrokerOffset": w.number, "LastTimestamp": w.number,
			"MemberId": w.text, "ClientId": w.text, "ClientIp": w.text,
		})
	}
	topic := func() {
		w.object(map[string]func(){
			"Topic": w.text, "TotalDiff": w.number, "LastTimestamp": w.number, "OffsetList": func() { w.list("OffsetList", partition) },
		})
	}
	rebalance := func() {
		w.object(map[string]func(){
			"Generation": w.small, "GroupId": w.text, "LastRebalanceTimestamp": w.number, "RebalanceTimeConsuming": w.number,
			"RebalanceSuccess": w.flag, "Reason": w.text,
		})
	}
	offsets := func() {
		w.object(map[string]func(){
			"Partition": w.small, "Topic": w.text, "MinOffset": w.number, "MaxOffset": w.number, "LastUpdateTimestamp": w.number,
		})
	}
	w.object(map[string]func(){
		"Code": func() { w.WriteString(w.one("200", `"200"`, `"OK"`)) }, "Success": func() { w.WriteString(w.one("true", `"true"`, "1")) },
		"Message": w.text, "RequestId": w.text,
		"ConsumerProgress": func() {
			w.object(map[string]func(){
				"TotalDiff": w.number, "LastTimestamp": w.number, "state": w.text,
				"TopicList":         func() { w.list("TopicList", topic) },
				"RebalanceInfoList": func() { w.list("RebalanceInfoList", rebalance) },
			})
		},
		"TopicStatus": func() {
			w.object(map[string]func(){
				"TotalCount": w.number, "LastTimeStamp": w.number, "OffsetTable": func() { w.list("OffsetTable", offsets) },
			})
		},
	})
}

func TestScannerAndGeneralDecoderAgreeOnRandomReplies(t *testing.T) {
	t.Parallel()
	for _, odd := range []bool{false, true} {
		taken, replies := 0, short.Of(4000)
		for seed := range uint64(replies) {
			w := &writer{Rand: rand.New(rand.NewPCG(seed, 1)), odd: odd}
			w.reply()
			body := []byte(w.String())
			_, status := agree[api.TopicStatus](t, 200, body)
			_, progress := agree[api.ConsumerProgress](t, 200, body)
			if status && progress {
				taken++
			} else if !odd {
				t.Fatalf("refused (status %t, progress %t): %s", !status, !progress, body)
			}
		}
		if taken == 0 || odd && taken == replies {
			t.Errorf("odd %t: %d of %d replies taken: this tests little", odd, taken, replies)
		}
	}
}

func FuzzScan(f *testing.F) {
	for seed := range uint64(40) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 2)), odd: seed%2 == 1}
		w.reply()
		f.Add([]byte(w.String()))
	}
	f.Add(progressReply(2))
	f.Add(statusReply(2))
	f.Fuzz(func(t *testing.T, body []byte) {
		agree[api.TopicStatus](t, 200, body)
		agree[api.ConsumerProgress](t, 200, body)
	})
}

// progressReply is a reply of GetConsumerProgress with all documented fields:
// topics of 100 partitions, read by 12 members.
func progressReply(partitions int) []byte {
	b := []byte(`{"RequestId":"252820E1-A2E6-45F2-B4C9-1056B8CE0F52","Message":"operation success.","Code":200,"Success":true,` +
		`"ConsumerProgress":{"TotalDiff":1234,"LastTimestamp":1566874931671,"state":"stable","RebalanceInfoList":{"RebalanceInfoList":[` +
		`{"Generation":4,"GroupId":"billing","LastRebalanceTimestamp":1566874900,"RebalanceTimeConsuming":3000,"RebalanceSuccess":true,"Reason":"a member left"}]},` +
		`"TopicList":{"TopicList":[`)
	for n := range partitions {
		p := n % 100
		if p == 0 {
			if n > 0 {
				b = append(b, `]}},`...)
			}
			b = fmt.Appendf(b, `{"Topic":"orders-%03d","TotalDiff":123,"LastTimestamp":1566874931671,"OffsetList":{"OffsetList":[`, n/100)
		} else {
			b = append(b, ',')
		}
		m := p % 12
		b = fmt.Appendf(b, `{"Partition":%d,"ConsumerOffset":%d,"BrokerOffset":%d,"LastTimestamp":%d,"Accumulate":%d,`+
			`"MemberId":"consumer-billing-%02d-7b0c4b3e-6a55-4ad0-9a2e-4f1f6e2c%04d","ClientId":"consumer-billing-%02d","ClientIp":"/10.12.8.1%02d"}`,
			p, 81230000+n, 81230012+n, 1566874931671+n, 12, m, m, m, m)
	}
	return append(b, `]}}]}}}`...)
}

// statusReply is a reply of GetTopicStatus with all documented fields.
func statusReply(partitions int) []byte {
	b := []byte(`{"RequestId":"E475C7E2-8C35-46EF-BE7D-5D2A9F5D4A11","Message":"operation success.","Code":200,"Success":true,` +
		`"TopicStatus":{"TotalCount":423,"LastTimeStamp":1566470063575,"OffsetTable":{"OffsetTable":[`)
	for n := range partitions {
		if n > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"Partition":%d,"Topic":"orders-000","MinOffset":%d,"MaxOffset":%d,"LastUpdateTimestamp":%d}`,
			n, 80230000+n, 81230012+n, 1566874931671+n)
	}
	return append(b, `]}}}`...)
}

func TestScannerTakesTheSamplesAndTheSimulatedCloud(t *testing.T) {
	t.Parallel()
	samples := references(t)
	for _, body := range []json.RawMessage{samples["GetTopicStatus"].ReplyJSON, samples["GetTopicStatus"].ReplyJSONWire} {
		if r, ok := agree[api.TopicStatus](t, 200, body); !ok || len(r.TopicStatus.Offsets) != 1 {
			t.Errorf("sample of GetTopicStatus: %+v, taken %t", r, ok)
		}
	}
	if r, ok := agree[api.ConsumerProgress](t, 200, samples["GetConsumerProgress"].ReplyJSON); !ok || len(r.Progress.Topics) != 1 {
		t.Errorf("sample of GetConsumerProgress: %+v, taken %t", r, ok)
	}
	for name, o := range map[string]sim.Options{
		"current": {}, "sampled": {Lists: sim.ListsSampled, Strings: true, RebalanceSeconds: true},
	} {
		o.World = &sim.World{Accounts: []sim.Account{{Name: "main", Instances: []sim.Instance{{
			ID: "alikafka_pre-cn-1", RegionID: "cn-hangzhou", Topics: []sim.Topic{{Name: "orders", Partitions: 5, Rate: 1}},
			Groups: []sim.Group{{Name: "billing", Members: 2, Subscriptions: []sim.Subscription{{Topic: "orders"}}}},
		}}}}}
		c, _ := client(t, cloud(t, o), nil)
		raw := api.Raw{Action: "GetTopicStatus", RegionID: "cn-hangzhou", Params: map[string]string{
			"RegionId": "cn-hangzhou", "InstanceId": "alikafka_pre-cn-1", "Topic": "orders",
		}}
		body, err := c.Do(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := agree[api.TopicStatus](t, 200, body); !ok || len(r.TopicStatus.Offsets) != 5 {
			t.Errorf("%s: %+v, taken %t: %s", name, r, ok, body)
		}
		raw.Action = "GetConsumerProgress"
		delete(raw.Params, "Topic")
		raw.Params["ConsumerId"] = "billing"
		if body, err = c.Do(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		if r, ok := agree[api.ConsumerProgress](t, 200, body); !ok || len(r.Progress.Topics) != 1 || len(r.Progress.Topics[0].Offsets) != 5 {
			t.Errorf("%s: %+v, taken %t: %s", name, r, ok, body)
		}
	}
}

func TestMemoryOfDecodedPartitions(t *testing.T) {
	for name, tc := range map[string]struct{ got, want uintptr }{
		"ConsumerOffsets": {unsafe.Sizeof(api.ConsumerOffsets{}), 80},
		"TopicOffsets":    {unsafe.Sizeof(api.TopicOffsets{}), 48},
	} {
		if tc.got != tc.want {
			t.Errorf("%s takes %d bytes, its comment says %d", name, tc.got, tc.want)
		}
	}
	const partitions = 3000
	var progress api.ConsumerProgress
	body := progressReply(partitions)
	allocs := testing.AllocsPerRun(3, func() { api.ScanForTest(200, body, &progress) })
	if allocs > partitions/20 {
		t.Errorf("%v allocations for %d partitions", allocs, partitions)
	}
	least := uint64(math.MaxUint64) // what others allocate meanwhile is in some runs
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		api.ScanForTest(200, body, &progress)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if n := least / partitions; n > 200 { // 90; twice that with the race detector
		t.Errorf("%d bytes allocated for a partition of 80", n)
	}
	texts := map[*byte]bool{}
	for _, topic := range progress.Progress.Topics {
		if len(topic.Offsets) != cap(topic.Offsets) {
			t.Error("an append to the offsets of one topic would overwrite those of the next")
		}
		texts[unsafe.StringData(topic.Topic)] = true
		for _, o := range topic.Offsets {
			texts[unsafe.StringData(o.MemberID)], texts[unsafe.StringData(o.ClientID)], texts[unsafe.StringData(o.ClientIP)] = true, true, true
		}
	}
	if n := len(texts); n != 30+3*12 {
		t.Errorf("%d strings for 30 topics and 12 members", n)
	}
	var status api.TopicStatus
	body = statusReply(partitions)
	if allocs := testing.AllocsPerRun(3, func() { api.ScanForTest(200, body, &status) }); allocs > partitions/20 {
		t.Errorf("%v allocations for %d partitions", allocs, partitions)
	}
}

// canned answers every request with the next of its replies, again and again.
type canned struct {
	replies [][]byte
	next    int
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body := c.replies[c.next%len(c.replies)]
	c.next++
	return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

var progressOf = api.GetConsumerProgress{RegionID: "cn-hangzhou", InstanceID: "alikafka_pre-cn-1", ConsumerID: "billing"}

// The buffer of a reply is used again for the next one.
func TestNothingDecodedRefersToTheBufferOfAReply(t *testing.T) {
	t.Parallel()
	whole, other := progressReply(20), bytes.Repeat([]byte("!"), 20_000)
	c, _ := client(t, &canned{replies: [][]byte{whole, other, whole, other}}, nil)
	got, err := api.Call(t.Context(), c, progressOf)
	if err != nil {
		t.Fatal(err)
	}
	raw := api.Raw{Action: "Other", RegionID: "cn-hangzhou"} // not in the table: not retried
	if body, err := c.Do(t.Context(), raw); err == nil || body != nil {
		t.Fatal("a failed call has a body", err)
	}
	body, err := c.Do(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), raw); err == nil {
		t.Fatal("no failure")
	}
	if !bytes.Equal(body, whole) {
		t.Error("the raw body changed")
	}
	want, _ := agree[api.ConsumerProgress](t, 200, whole)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the reply changed (-want +got):\n%s", d)
	}
}

// BenchmarkCall is a whole call but for the network.
func BenchmarkCall(b *testing.B) {
	for _, partitions := range []int{1, 1000, 10_000} {
		b.Run(strconv.Itoa(partitions), func(b *testing.B) {
			limits := api.RateLimits{Share: 1, Scope: "account", Default: 1e6, PerSourceIP: 1e6}
			c, err := api.NewClient(api.Options{
				Account: "main", Credentials: testKey, Limiter: api.NewLimiter(limits, api.NewSourceLimit(limits.PerSourceIP)),
				Transport: &canned{replies: [][]byte{progressReply(partitions)}},
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := api.Call(b.Context(), c, progressOf); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(partitions), "ns/partition")
		})
	}
}

// The same for encoding/json: no lenience, no envelope.
type (
	plainProgress struct {
		ConsumerProgress struct {
			TotalDiff, LastTimestamp int64
			State                    string `json:"state"`
			RebalanceInfoList        struct {
				RebalanceInfoList []struct {
					Generation             int64
					GroupId                string
					LastRebalanceTimestamp int64
					RebalanceTimeConsuming int64
					RebalanceSuccess       bool
					Reason                 string
				}
			}
			TopicList struct {
				TopicList []struct {
					Topic                    string
					TotalDiff, LastTimestamp int64
					OffsetList               struct {
						OffsetList []struct {
							Partition                                   int32
							ConsumerOffset, BrokerOffset, LastTimestamp int64
							MemberId, ClientId, ClientIp                string
						}
					}
				}
			}
		}
	}
	plainStatus struct {
		TopicStatus struct {
			TotalCount, LastTimeStamp int64
			OffsetTable               struct {
				OffsetTable []struct {
					Partition                                 int32
					Topic                                     string
					MinOffset, MaxOffset, LastUpdateTimestamp int64
				}
			}
		}
	}
)

// BenchmarkDecode compares the three ways to decode a reply. x_json says how
// many times longer encoding/json takes than the scanner, x_general the general
// decoder, in the same run.
func BenchmarkDecode(b *testing.B) {
	for _, partitions := range []int{1, 1000, 10_000} {
		benchmarkDecode[api.ConsumerProgress, plainProgress](b, "GetConsumerProgress", progressReply(partitions), partitions)
		benchmarkDecode[api.TopicStatus, plainStatus](b, "GetTopicStatus", statusReply(partitions), partitions)
	}
}

func benchmarkDecode[R, Plain any](b *testing.B, action string, body []byte, partitions int) {
	b.Helper()
	times := map[string]float64{}
	run := func(way string, decode func() error) {
		b.Run(fmt.Sprintf("%s/%d/%s", action, partitions, way), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			allocs := testing.AllocsPerRun(1, func() {
				if err := decode(); err != nil {
					b.Fatal(err)
				}
			})
			for b.Loop() {
				_ = decode()
			}
			perPartition := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(partitions)
			b.ReportMetric(perPartition, "ns/partition")
			b.ReportMetric(allocs/float64(partitions), "allocs/partition")
			times[way] = perPartition
			if way == "scan" {
				for name, other := range map[string]string{"x_json": "json", "x_general": "general"} {
					if times[other] != 0 {
						b.ReportMetric(times[other]/perPartition, name)
					}
				}
			}
		})
	}
	run("json", func() error { return json.Unmarshal(body, new(Plain)) })
	run("general", func() error {
		_, err := api.GeneralForTest(200, body, new(R))
		return err
	})
	run("scan", func() error {
		if _, ok := api.ScanForTest(200, body, new(R)); !ok {
			return errors.New("refused")
		}
		return nil
	})
}
