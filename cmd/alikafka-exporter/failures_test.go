package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

func TestFailuresKeepTheLatestOfEachKind(t *testing.T) {
	t.Parallel()
	var f failures
	start := time.Unix(1_700_000_000, 0)
	at := func(s int, action, code, id string) api.Attempt {
		return api.Attempt{Account: "main", Action: action, Code: code, RequestID: id, At: start.Add(time.Duration(s) * time.Second)}
	}
	f.observe(at(0, "GetTopicList", api.CodeOK, "fine"))
	f.observe(at(1, "GetTopicList", "NoPermission", "first"))
	f.observe(at(2, "GetTopicStatus", "Throttling.User", "other"))
	f.observe(at(3, "GetTopicList", "NoPermission", "second"))
	got := f.latest(10)
	if len(got) != 2 || got[0].RequestID != "second" || got[0].Times != 2 || got[1].RequestID != "other" {
		t.Errorf("%+v", got)
	}
	if got := f.latest(1); len(got) != 1 {
		t.Errorf("asked for one: %+v", got)
	}
	for i := range 2 * maxFailures {
		f.observe(at(10+i, "GetTopicList", fmt.Sprint("Code", i), ""))
	}
	got = f.latest(1000)
	if len(got) != maxFailures || got[0].Code != fmt.Sprint("Code", 2*maxFailures-1) || got[len(got)-1].Code != fmt.Sprint("Code", maxFailures) {
		t.Errorf("%d kinds, from %s to %s", len(got), got[0].Code, got[len(got)-1].Code)
	}
}
