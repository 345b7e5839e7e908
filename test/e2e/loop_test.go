package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The loop, closed with nothing but real programs: the simulated cloud plays a
// story, the exporter watches it, Prometheus evaluates the rules that are
// shipped, Alertmanager sends what fires with the configuration that is shipped,
// and the exporter runs the runbooks that are shipped. Other than in
// production are only addresses and files, durations (see minute), the modes
// and the wait of the runbooks, and what shortened lets the exporter decide
// within seconds.

// minute is what a minute of the shipped rules becomes: every `for`,
// `keep_firing_for`, `interval`, `offset` and range.
const minute = 500 * time.Millisecond

var ruleDurations = regexp.MustCompile(`((?:\bfor|keep_firing_for|interval): |\[|\boffset )(\d+)([mhd])\b`)

// faster returns rules in which time passes faster.
func faster(rules string) string {
	minutes := map[string]int{"m": 1, "h": 60, "d": 1440}
	return ruleDurations.ReplaceAllStringFunc(rules, func(text string) string {
		m := ruleDurations.FindStringSubmatch(text)
		n, _ := strconv.Atoi(m[2]) // digits
		return m[1] + strconv.FormatInt((time.Duration(n*minutes[m[3]])*minute).Milliseconds(), 10) + "ms"
	})
}

// shortened is of the exporter's configuration: polls every second, and
// statuses of groups after seconds.
const shortened = `
collect:
  sources:
    instances: {interval: 2s}
    allowed_ips: {interval: 2s}
    topics: {interval: 1s}
    topic_status: {interval: 2s}
    consumer_groups: {interval: 2s}
    consumer_group_progress: {interval: 1s}
  status: {allowed_lag_seconds: 1, stopped_after: 3s, window: 12s}
rate_limits: {share: 1, default: 50}
`

const people = `
admin:
  alertmanager_repeat_interval: 1m
  principals:
    - {name: alertmanager, kind: webhook, token_file: alertmanager.token, instances: ".*", runbooks: [%s]}
    - {name: reader, kind: person, token_file: reader.token, effects: [Read], instances: ".*"}
    - {name: alice, kind: person, token_file: alice.token, effects: [Read], instances: ".*", may_approve: true}
    - {name: bob, kind: person, token_file: bob.token, effects: [Read], instances: ".*", may_approve: true}
  guards: {whitelist: {allowed: [10.20.30.0/24]}, partitions: {topics: %q}}
`

// shippedRunbooks are alerts/runbooks.example.yaml with one of them turned on:
// as they stand they change nothing.
func shippedRunbooks(t *testing.T, name, mode string) string {
	t.Helper()
	text, err := os.ReadFile("../../alerts/runbooks.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	on := regexp.MustCompile(`(?m)^  - name: ` + name + `\n`)
	if !on.Match(text) {
		t.Fatalf("no runbook %s is shipped", name)
	}
	// Keys may stand but once: its own wait_for gives way.
	runbook := regexp.MustCompile(`(?ms)^  - name: ` + name + `\n.*?(?:\n\n|\z)`).FindString(string(text))
	waiting := regexp.MustCompile(`(?m)^ {4}wait_for: .*\n`).ReplaceAllString(runbook, "")
	waiting = on.ReplaceAllString(waiting, "$0    mode: "+mode+"\n    wait_for: 1s\n")
	return strings.Replace(string(text), runbook, waiting, 1)
}

// loop is everything at work.
type loop struct {
	site
	prom         prometheus
	alertmanager string
	group        string // the story's
}

// closeLoop starts everything on a story. Alerts may start one of the runbooks;
// topics that match optedIn may be scaled, besides those with the tag.
func closeLoop(t *testing.T, story, group, runbook, optedIn, runbooks string) *loop {
	t.Helper()
	l := &loop{site: site{dir: t.TempDir(), web: newDoor(t), admin: newDoor(t)}, group: group}
	for name, token := range map[string]string{"alertmanager": webhookToken, "reader": readerToken, "alice": aliceToken, "bob": bobToken} {
		write(t, filepath.Join(l.dir, name+".token"), token)
	}
	am := start(t, "alertmanager", "--config.file="+l.alertmanagerConfig(t, "500ms", "1s", "30s"), "--storage.path="+filepath.Join(l.dir, "am"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	address := am.wait(t, `msg="Listening on".*address=(127\.0\.0\.1:[1-9][0-9]*)`)[1]
	l.alertmanager = "http://" + address
	rules, err := os.ReadFile("../../alerts/alikafka.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(l.dir, "alikafka.rules.yml"), faster(string(rules)))
	l.prom = runPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs:
  - job_name: alikafka
    static_configs: [{targets: [%q]}]
`, filepath.Join(l.dir, "alikafka.rules.yml"), address, l.web.address))
	// The story begins when everybody looks.
	cloud := start(t, exporter(t), "sim", "--listen-address=127.0.0.1:0", "--control.listen-address=127.0.0.1:0", "--story="+story, "--limit=-1")
	endpoint := cloud.wait(t, `cloud on (http://[^,]+),`)[1]
	l.control = cloud.wait(t, `steer it on (http://\S+)/control/`)[1]
	write(t, filepath.Join(l.dir, "config.yaml"), fmt.Sprintf(`
accounts:
  - name: main
    credentials: {access_key_id: testid, access_key_secret: testsecret}
    acting_credentials: {access_key_id: testid, access_key_secret: testsecret}
    regions: [cn-hangzhou]
    endpoints: {cn-hangzhou: %q}
`, endpoint)+shortened+fmt.Sprintf(people, runbook, optedIn)+runbooks)
	l.begin(t)
	return l
}

const (
	aliceToken = "alice-0123456789abcdef0123456"
	bobToken   = "bob-0123456789abcdef012345678"
)

// patience is for what takes a fraction of it on an idle machine.
const patience = 5 * time.Minute

// firingAlert is one that Alertmanager has.
type firingAlert struct {
	Labels map[string]string `json:"labels"`
	Starts time.Time         `json:"startsAt"`
}

// firing returns the alerts of that name that Alertmanager has.
func (l *loop) firing(t *testing.T, name string) []firingAlert {
	t.Helper()
	var alerts []firingAlert
	if err := json.Unmarshal([]byte(get(t, l.alertmanager+"/api/v2/alerts?filter=alertname%3D"+name)), &alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

// fires waits for an alert, once, with the labels of the group and more, and
// returns since when it fires.
func (l *loop) fires(t *testing.T, name string, more ...string) time.Time {
	t.Helper()
	want := map[string]string{
		"alertname": name, "account": "main", "region_id": "cn-hangzhou", "instance_id": stage, "consumer_group": l.group,
	}
	for i := 0; i < len(more); i += 2 {
		want[more[i]] = more[i+1]
	}
	var got []firingAlert
	eventually(t, name+" fires", func() bool {
		got = l.firing(t, name)
		return len(got) > 0
	})
	if len(got) != 1 || !maps.Equal(got[0].Labels, want) {
		t.Errorf("alerts %v, want %v", got, want)
	}
	return got[0].Starts
}

// resolves waits for an alert's end, at Alertmanager and at the exporter.
func (l *loop) resolves(t *testing.T, name, runbook string) {
	t.Helper()
	eventually(t, name+" is resolved", func() bool { return len(l.firing(t, name)) == 0 })
	eventually(t, "the exporter has heard of it", func() bool {
		episodes := l.episodes(t, runbook)
		return len(episodes) == 1 && !episodes[0].Ended.IsZero()
	})
}

// episode and run are what the admin endpoint tells.
type episode struct {
	Labels  map[string]string `json:"labels"`
	Ended   time.Time         `json:"ended"`
	Outcome string            `json:"outcome"`
	Effect  string            `json:"effect"`
	Run     string            `json:"run"`
}

type run struct {
	ID       string         `json:"id"`
	State    string         `json:"state"`
	Why      string         `json:"why"`
	Verdicts []guardVerdict `json:"verdicts"`
	Plan     struct {
		Hash string `json:"hash"`
	} `json:"plan"`
	Approvals []struct {
		Actor struct {
			Principal string `json:"principal"`
		} `json:"actor"`
	} `json:"approvals"`
	Calls        []struct{ Outcome string } `json:"calls"`
	Verification struct {
		Agreed int               `json:"agreed"`
		Facts  map[string]string `json:"facts"`
	} `json:"verification"`
}

type guardVerdict struct {
	Guard   string `json:"guard"`
	OK      bool   `json:"ok"`
	Value   string `json:"value"`
	Message string `json:"message"`
}

func (l *loop) episodes(t *testing.T, runbook string) []episode {
	t.Helper()
	var list struct {
		Episodes []episode `json:"episodes"`
	}
	if err := json.Unmarshal([]byte(l.read(t, "/api/v1/episodes?runbook="+runbook)), &list); err != nil {
		t.Fatal(err)
	}
	return list.Episodes
}

// reaches waits until the only run of a runbook is in a state.
func (l *loop) reaches(t *testing.T, runbook, state string) run {
	t.Helper()
	var list struct {
		Runs []run `json:"runs"`
	}
	eventually(t, "the run is "+state, func() bool {
		if err := json.Unmarshal([]byte(l.read(t, "/api/v1/runs?runbook="+runbook)), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Runs) > 0 && list.Runs[0].State == state
	})
	if len(list.Runs) != 1 {
		t.Fatalf("%d runs of %s", len(list.Runs), runbook)
	}
	var r run
	if err := json.Unmarshal([]byte(l.read(t, "/api/v1/runs/"+list.Runs[0].ID)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// approve sends a person's approval and returns the status.
func (l *loop) approve(t *testing.T, token string, r run) int {
	t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"plan_hash": %q}`, r.Plan.Hash))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.admin.url()+"/api/v1/runs/"+r.ID+"/approve", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it
	return resp.StatusCode
}

// value is a metric of the group; -1 where it is not there.
func (l *loop) value(t *testing.T, metric, more string) float64 {
	t.Helper()
	return l.valueAt(t, time.Now(), metric, more)
}

// valueAt is what it was at a time.
func (l *loop) valueAt(t *testing.T, at time.Time, metric, more string) float64 {
	t.Helper()
	found := l.prom.queryAt(t, at, fmt.Sprintf(`sum by (consumer_group) (%s{instance_id=%q,consumer_group=%q%s})`, metric, stage, l.group, more))
	if len(found) != 1 {
		return -1
	}
	return found[0].number()
}

// ends verifies the audit while everything runs, against the head that
// Prometheus has of it, and stops the exporter.
func (l *loop) ends(t *testing.T) {
	t.Helper()
	eventually(t, "Prometheus has the journal's head", func() bool {
		head := l.prom.query(t, "alikafka_journal_head")
		return len(head) == 1 && head[0].number() == l.metric(t, "alikafka_journal_head")
	})
	head := strconv.FormatFloat(l.metric(t, "alikafka_journal_head"), 'f', -1, 64)
	out, err := exec.CommandContext(t.Context(), exporter(t), "audit", "verify", "--storage.path="+filepath.Join(l.dir, "state"), "--head="+head).CombinedOutput()
	if err != nil {
		t.Errorf("audit verify --head=%s: %v\n%s", head, err, out)
	}
	if never := l.prom.query(t, `ALERTS{alertname=~"AlikafkaRunNeedsHuman|AlikafkaJournalNotWritable|AlikafkaBreakerOpen|AlikafkaCredentialsRefused"}`); len(never) > 0 {
		t.Errorf("alerts of our own: %v", never)
	}
	if err := l.exporter.Stop(); err != nil {
		t.Errorf("exporter after SIGTERM: %v", err)
	}
}

// A group of six has three partitions, and is too slow: it gets three more.
func TestLoopPartitionsForIdleMembers(t *testing.T) {
	t.Parallel()
	l := closeLoop(t, "partition-bound", "billing", "scale-partitions", "", shippedRunbooks(t, "scale-partitions", "auto"))
	// Not the values of now: meanwhile the runbook may have run.
	before := l.fires(t, "AlikafkaConsumerGroupPartitionBound", "topic", "orders", "severity", "warning")
	late := l.valueAt(t, before, "alikafka_consumer_group_lag_messages", "")
	if members := l.valueAt(t, before, "alikafka_consumer_group_members", ""); members != 3 || late <= 0 {
		t.Errorf("%v members have work before, lag is %v", members, late)
	}
	r := l.reaches(t, "scale-partitions", "applied")
	if len(r.Calls) != 1 || r.Calls[0].Outcome != "done" || r.Verification.Agreed < 2 || r.Verification.Facts["PartitionNum"] != "6" {
		t.Errorf("run: %+v", r)
	}
	l.resolves(t, "AlikafkaConsumerGroupPartitionBound", "scale-partitions")
	eventually(t, "it helped", func() bool { return l.episodes(t, "scale-partitions")[0].Effect == "improved" })
	eventually(t, "lag falls", func() bool {
		lag := l.value(t, "alikafka_consumer_group_lag_messages", "")
		return lag >= 0 && lag < late/2
	})
	eventually(t, "six members have work", func() bool { return l.value(t, "alikafka_consumer_group_members", "") == 6 })
	if n := l.effects(t, "ModifyPartitionNum&AddPartitionNum=3&Topic=orders"); n != 1 || l.effects(t, "") != 1 {
		t.Errorf("%d of %d effects", n, l.effects(t, ""))
	}
	l.ends(t)
}

// The whitelist lacks the consumers' network: two people let it in.
func TestLoopConsumersAreLetIn(t *testing.T) {
	t.Parallel()
	l := closeLoop(t, "locked-out", "edge-billing", "allow-cidr", "", shippedRunbooks(t, "allow-cidr", "approve"))
	l.fires(t, "AlikafkaConsumerGroupStopped", "severity", "critical")
	r := l.reaches(t, "allow-cidr", "pending_approval")
	if status := l.approve(t, readerToken, r); status != http.StatusForbidden {
		t.Errorf("somebody who may not approves: %d", status)
	}
	for i, token := range []string{aliceToken, bobToken} {
		if n := l.effects(t, ""); n != 0 {
			t.Fatalf("%d effects after %d approvals", n, i)
		}
		if status := l.approve(t, token, r); status != http.StatusOK && status != http.StatusAccepted {
			t.Errorf("approval %d: %d", i+1, status)
		}
	}
	r = l.reaches(t, "allow-cidr", "applied")
	if len(r.Approvals) != 2 || len(r.Calls) != 1 || r.Verification.Agreed < 2 {
		t.Errorf("run: %+v", r)
	}
	l.resolves(t, "AlikafkaConsumerGroupStopped", "allow-cidr")
	eventually(t, "they are back", func() bool {
		return l.value(t, "alikafka_consumer_group_members", "") == 3 && l.value(t, "alikafka_consumer_group_status", `,status="ok"`) == 1
	})
	if n := l.effects(t, "UpdateAllowedIp&UpdateType=add&AllowedListIp=10.20.30.0/24"); n != 1 || l.effects(t, "") != 1 {
		t.Errorf("%d of %d effects", n, l.effects(t, ""))
	}
	l.ends(t)
}

// eager is a runbook that somebody wrote in a hurry: whatever is wrong with the
// group, it wants more partitions.
const eager = `
runbooks:
  - name: scale-orders
    match: ['alertname=~"AlikafkaConsumerGroup.+"', 'consumer_group="billing"']
    action: ModifyPartitionNum
    params:
      InstanceId: {label: instance_id, type: instance}
      Topic: {value: orders}
      TargetPartitionNum: {times: 2, max: 96}
    mode: auto
    wait_for: 1s
`

// A group is dead: no number of partitions brings it back, and whoever looks is
// told so.
func TestLoopADeadConsumerIsForPeople(t *testing.T) {
	t.Parallel()
	l := closeLoop(t, "dead", "billing", "scale-orders", "orders", eager)
	l.fires(t, "AlikafkaConsumerGroupStopped", "severity", "critical")
	r := l.reaches(t, "scale-orders", "refused")
	const why = "consumer group billing has no members: no number of partitions helps it"
	refusals := slices.DeleteFunc(r.Verdicts, func(v guardVerdict) bool { return v.OK })
	if len(refusals) != 1 || refusals[0].Guard != "partition_need" || refusals[0].Message != why || refusals[0].Value != "0 members, 6 partitions" {
		t.Errorf("refusals: %+v", refusals)
	}
	if r.Why == "" {
		t.Error("the run does not say why") // the page that shows it is tested in test/browser
	}
	explained := get(t, l.web.url()+"/api/v1/explain?instance_id="+stage+"&consumer_group=billing")
	if !strings.Contains(explained, `"status": "stopped"`) || !strings.Contains(explained, `"no_owner"`) {
		t.Errorf("explained: %.2000s", explained)
	}
	if n := l.metric(t, `alikafka_guard_refusals_total{guard="partition_need"}`); n < 1 {
		t.Errorf("%v refusals counted", n)
	}
	if n := len(l.firing(t, "AlikafkaConsumerGroupStopped")); n != 1 || l.effects(t, "") != 0 {
		t.Errorf("%d alerts, %d effects", n, l.effects(t, ""))
	}
	l.ends(t)
}
