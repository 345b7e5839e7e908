package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	webhookToken = "alertmanager-0123456789abcdef"
	readerToken  = "reader-0123456789abcdef012345"
	stage        = "alikafka_pre-cn-zvp2stage001" // of the simulated story
)

// site is a simulated cloud, an exporter that acts on it, and two
// Alertmanagers that tell each other what they sent.
type site struct {
	dir      string
	web      *door // of the exporter's listeners
	admin    *door
	control  string // base URLs
	peers    []string
	exporter *process
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newSite starts everything but the exporter.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), web: newDoor(t), admin: newDoor(t)}
	cloud := start(t, exporter(t), "sim", "--listen-address=127.0.0.1:0", "--control.listen-address=127.0.0.1:0", "--story=calm", "--limit=-1")
	endpoint := cloud.wait(t, `cloud on (http://[^,]+),`)[1]
	s.control = cloud.wait(t, `steer it on (http://\S+)/control/`)[1]
	write(t, filepath.Join(s.dir, "alertmanager.token"), webhookToken)
	write(t, filepath.Join(s.dir, "reader.token"), readerToken)
	write(t, filepath.Join(s.dir, "config.yaml"), fmt.Sprintf(`
accounts:
  - name: main
    credentials: {access_key_id: testid, access_key_secret: testsecret}
    acting_credentials: {access_key_id: testid, access_key_secret: testsecret}
    regions: [cn-hangzhou]
    endpoints: {cn-hangzhou: %q}
rate_limits: {default: 50}
admin:
  alertmanager_repeat_interval: 1m
  principals:
    - {name: alertmanager, kind: webhook, token_file: alertmanager.token, instances: ".*", runbooks: [scale-partitions]}
    - {name: reader, kind: person, token_file: reader.token, effects: [Read], instances: ".*"}
  guards: {partitions: {topics: orders}}
runbooks:
  - name: scale-partitions
    match: ['alertname="KafkaTopicPartitionBound"']
    action: ModifyPartitionNum
    params:
      InstanceId: {label: instance_id, type: instance}
      Topic: {label: topic, type: topic}
      TargetPartitionNum: {times: 2, max: 96}
    mode: auto
    wait_for: 30s
`, endpoint))
	s.startAlertmanagers(t)
	return s
}

// alertmanagerConfig writes the configuration that is shipped, and returns the
// file; only addresses, the token's place and, since a test has no hours, the
// intervals are others.
func (s *site) alertmanagerConfig(t *testing.T, wait, interval, repeat string) string {
	t.Helper()
	shipped, err := os.ReadFile("../../alerts/alertmanager.example.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(shipped)
	for from, to := range map[string]string{
		"127.0.0.1:19309": s.admin.address, "credentials_file: alertmanager.token": "credentials_file: " + filepath.Join(s.dir, "alertmanager.token"),
		"group_wait: 15s": "group_wait: " + wait, "group_interval: 1m": "group_interval: " + interval, "repeat_interval: 4h": "repeat_interval: " + repeat,
	} {
		if !strings.Contains(text, from) {
			t.Fatalf("the shipped configuration lacks %q", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	config := filepath.Join(s.dir, "alertmanager.yml")
	write(t, config, text)
	return config
}

// amStatus is what an Alertmanager tells of itself.
type amStatus struct {
	Cluster struct {
		Status string `json:"status"`
		Peers  []struct {
			Address string `json:"address"`
		} `json:"peers"`
	} `json:"cluster"`
}

// startAlertmanagers starts two peers.
func (s *site) startAlertmanagers(t *testing.T) {
	t.Helper()
	status := func(peer string) (a amStatus) {
		if err := json.Unmarshal([]byte(get(t, peer+"/api/v2/status")), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	args := []string{
		"--config.file=" + s.alertmanagerConfig(t, "1s", "2s", "3s"), "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=127.0.0.1:0",
		"--cluster.peer-timeout=2s", "--cluster.gossip-interval=100ms", "--cluster.settle-timeout=2s", "--log.level=debug",
	}
	for i := range 2 {
		p := start(t, "alertmanager", append(args, "--storage.path="+filepath.Join(s.dir, "am"+strconv.Itoa(i)))...)
		s.peers = append(s.peers, "http://"+p.wait(t, `msg="Listening on".*address=(127\.0\.0\.1:[1-9][0-9]*)`)[1])
		args = append(args, "--cluster.peer="+status(s.peers[0]).Cluster.Peers[0].Address)
	}
	for _, peer := range s.peers {
		eventually(t, "both peers know each other", func() bool {
			a := status(peer)
			return len(a.Cluster.Peers) == 2 && a.Cluster.Status == "ready"
		})
	}
}

// begin starts the exporter and waits until it watches.
func (s *site) begin(t *testing.T) {
	t.Helper()
	s.exporter = start(t, exporter(t), "serve", "--config.file="+filepath.Join(s.dir, "config.yaml"), "--storage.path="+filepath.Join(s.dir, "state"),
		"--web.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0")
	s.admin.leadTo(s.exporter.wait(t, `msg="Listening on" listener=admin address=(127\.0\.0\.1:[1-9][0-9]*)`)[1])
	s.web.leadTo(s.exporter.wait(t, `msg="Listening on" address=(127\.0\.0\.1:[1-9][0-9]*)`)[1])
	eventually(t, "ready", func() bool {
		status, _ := fetch(t, s.web.url()+"/-/ready")
		return status == http.StatusOK
	})
}

// kill ends the exporter without a warning.
func (s *site) kill() {
	_ = s.exporter.Kill()
	<-s.exporter.Done
	s.web.leadTo("")
	s.admin.leadTo("")
}

// fire tells both peers of an alert, as a pair of Prometheus servers does.
func (s *site) fire(t *testing.T, alertname string, ends time.Time) {
	t.Helper()
	for i, peer := range s.peers {
		body, err := json.Marshal([]map[string]any{{
			"labels":   map[string]string{"alertname": alertname, "severity": "warning", "instance_id": stage, "topic": "orders"},
			"startsAt": time.Now().Add(-time.Duration(i+1) * time.Minute), "endsAt": ends,
		}})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, peer+"/api/v2/alerts", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := (&http.Client{Timeout: patience}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("alertmanager: %d", resp.StatusCode)
		}
	}
}

// effects counts what was done to the cloud.
func (s *site) effects(t *testing.T, action string) int {
	t.Helper()
	var effects struct {
		Count int `json:"count"`
	}
	if err := json.Unmarshal([]byte(get(t, s.control+"/control/effects?action="+action)), &effects); err != nil {
		t.Fatal(err)
	}
	return effects.Count
}

// metric returns a counter of the exporter's page; 0 where it has none.
func (s *site) metric(t *testing.T, series string) float64 {
	t.Helper()
	_, page := fetch(t, s.web.url()+"/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(page)
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// read asks the admin endpoint.
func (s *site) read(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.admin.url()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+readerToken)
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

const acceptedDeliveries = `alikafka_webhook_deliveries_total{outcome="accepted"}`

// TestAlertmanagersDeliverManyTimesAndOnceIsDone plays one episode that two
// gossiping Alertmanagers deliver again and again, through a while in which
// nobody answers and a kill between taking in and acting.
func TestAlertmanagersDeliverManyTimesAndOnceIsDone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	later := time.Now().Add(time.Hour)
	s.fire(t, "KafkaTopicPartitionBound", later) // nobody answers yet: both try again
	s.begin(t)
	eventually(t, "a delivery is taken in", func() bool { return s.metric(t, acceptedDeliveries) > 0 })
	s.kill() // within wait_for: it was answered, and nothing was done
	if n := s.effects(t, "ModifyPartitionNum"); n != 0 {
		t.Fatalf("%d effects before wait_for", n)
	}
	s.begin(t)
	eventually(t, "the partitions are there", func() bool { return s.effects(t, "ModifyPartitionNum") == 1 })
	s.kill() // whatever the exporter knew of the outcome
	s.begin(t)
	eventually(t, "many deliveries of the episode", func() bool { return s.metric(t, acceptedDeliveries) >= 5 })
	eventually(t, "the run is over", func() bool {
		return strings.Contains(s.read(t, "/api/v1/runs?runbook=scale-partitions"), `"state": "applied"`)
	})
	if n := s.effects(t, "ModifyPartitionNum"); n != 1 {
		t.Errorf("%d effects of one episode", n)
	}
	var list struct {
		Episodes []struct {
			Ended   time.Time `json:"ended"`
			Outcome string    `json:"outcome"`
		} `json:"episodes"`
	}
	episodes := func() int {
		if err := json.Unmarshal([]byte(s.read(t, "/api/v1/episodes")), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Episodes)
	}
	eventually(t, "the episode knows of it", func() bool { return episodes() != 1 || list.Episodes[0].Outcome == "applied" })
	if len(list.Episodes) != 1 || !list.Episodes[0].Ended.IsZero() {
		t.Errorf("episodes: %+v", list.Episodes)
	}
	s.fire(t, "KafkaTopicPartitionBound", time.Now().Add(-time.Second)) // resolved
	eventually(t, "the episode ends", func() bool { return episodes() == 1 && !list.Episodes[0].Ended.IsZero() })
	if err := s.exporter.Stop(); err != nil {
		t.Errorf("exporter after SIGTERM: %v", err)
	}
}

func TestTheShippedAlertmanagerConfigurationIsValid(t *testing.T) {
	t.Parallel()
	p := start(t, "alertmanager", "--config.file=../../alerts/alertmanager.example.yml", "--storage.path="+t.TempDir(),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	p.wait(t, `msg="Completed loading of configuration file"`)
}
