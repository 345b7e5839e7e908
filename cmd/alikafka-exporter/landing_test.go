package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestTheHeadlineIsTheWorstOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	up, down := regionRow{ID: "cn-hangzhou", Tone: good}, regionRow{ID: "cn-shanghai", Tone: bad}
	is := func(statuses ...string) (rows []groupRow) {
		for _, s := range statuses {
			rows = append(rows, groupRow{Status: newGroupStatus(s)})
		}
		return rows
	}
	failing := sourceRow{Tone: bad}
	for name, c := range map[string]struct {
		landing landing
		groups  []groupRow
		tone    tone
		text    string
	}{
		"all is well":                     {landing{Ready: true, Regions: []regionRow{up}}, is("ok", "abandoned"), good, "Every consumer group is well"},
		"a region is down, whatever else": {landing{Ready: true, Regions: []regionRow{up, down}}, is("stopped"), bad, "1 region cannot be read"},
		"a group has stopped":             {landing{Ready: true, Regions: []regionRow{up}}, is("stopped", "warning", "ok"), bad, "2 of 3 consumer groups need attention"},
		"lag grows":                       {landing{Ready: true, Regions: []regionRow{up}}, is("warning", "ok"), warn, "1 of 2 consumer groups need attention"},
		"a source fails":                  {landing{Ready: true, Regions: []regionRow{up}, Sources: []sourceRow{failing}}, is("ok"), warn, "1 source failed at the last read"},
		"nothing is known of a group":     {landing{Ready: true, Regions: []regionRow{up}}, is("unknown", "ok"), calm, "How 1 of 2 consumer groups are doing is not known"},
		"it has just started":             {landing{Regions: []regionRow{up}}, is("unknown"), calm, "Not every source was read yet"},
		"nothing is there":                {landing{Ready: true}, nil, calm, "No consumer group is watched"},
	} {
		v := c.landing
		v.judge(c.groups)
		if v.Headline.Tone != c.tone || v.Headline.Text != c.text {
			t.Errorf("%s: %s %q, want %s %q", name, v.Headline.Tone, v.Headline.Text, c.tone, c.text)
		}
	}
}

func TestEveryStatusHasItsPlaceInTheOrder(t *testing.T) {
	t.Parallel()
	order := statusOrder()
	for i, name := range order {
		s := newGroupStatus(name)
		if s.Name != name {
			t.Errorf("%s is shown as %s", name, s.Name)
		}
		if i > 0 && rank(newGroupStatus(order[i-1]).Tone) > rank(s.Tone) {
			t.Errorf("%s comes after %s, which is better", name, order[i-1])
		}
	}
	if newGroupStatus("").Name != "unknown" || !newGroupStatus("rewound").unwell() || newGroupStatus("abandoned").unwell() {
		t.Error("statuses do not mean what they say")
	}
}

func TestASearchIsKeptByTheLinksOfStatuses(t *testing.T) {
	t.Parallel()
	v := groupList{Search: "a&b", InstanceID: "i"}
	if got := v.href("ok"); got != "consumer-groups?instance_id=i&search=a%26b&status=ok" {
		t.Error(got)
	}
	if got := (groupList{}).href(""); got != "consumer-groups" {
		t.Error(got)
	}
	if e := unknownInstance(""); e.Status != http.StatusBadRequest || !strings.Contains(e.Detail, "instance_id") {
		t.Errorf("%+v", e)
	}
}
