package browser_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// An alert of a group that is dead asks for partitions: nothing is done, and
// whoever opens the page reads why.
func TestThePageSaysWhyARunbookRefused(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	p := open(t, wide)
	p.signIn(d, "bob")
	d.api(t, "alertmanager", http.MethodPost, "webhook/alertmanager", map[string]any{
		"version": "4", "groupKey": "{}", "status": "firing", "receiver": "alikafka-runbooks",
		"alerts": []map[string]any{{
			"status": "firing", "fingerprint": "0123456789abcdef", "startsAt": time.Now().Add(-time.Minute),
			"labels": map[string]string{
				"alertname": "AlikafkaConsumerGroupPartitionBound", "severity": "warning", "account": "demo", "region_id": "cn-hangzhou",
				"instance_id": "alikafka_pre-cn-zvp2n4kd1002", "topic": "app-log", "consumer_group": "console-test",
			},
		}},
	}, http.StatusAccepted)
	const why = "consumer group console-test has no members: no number of partitions helps it"
	p.await(`document.querySelector('#ops').textContent.includes('` + why + `')`)
	runs := d.api(t, "bob", http.MethodGet, "runs?runbook=scale-partitions", nil, http.StatusOK)["runs"].([]any)
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	run := runs[0].(map[string]any)["id"].(string)
	p.await(`document.querySelector('#run-` + run + ` .pill')?.textContent === 'refused'`)
	p.click("#run-" + run + " summary")
	p.await(`document.querySelector('#run-` + run + `').open`)
	told := value[string](p, `document.querySelector('#run-`+run+`').innerText`)
	for _, want := range []string{"partition need", "0 members, 12 partitions", why, "partition opt in"} {
		if !strings.Contains(told, want) {
			t.Errorf("the run does not say %q: %s", want, told)
		}
	}
	p.accessible()
	p.quiet(d.Admin)
}
