package e2e_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPrometheusAndAlertmanagerStartAsTheDemoSays runs the lines that the demo
// prints, as they are: so it takes the ports that they name.
func TestPrometheusAndAlertmanagerStartAsTheDemoSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	demo := start(t, exporter(t), "demo", "--storage.path="+dir, "--story=dead", "--web.listen-address=127.0.0.1:0",
		"--cloud.listen-address=127.0.0.1:0", "--admin.listen-address=127.0.0.1:0")
	demo.wait(t, `Ctrl-C ends it`)
	base := demo.wait(t, `(http://127\.0\.0\.1:[1-9][0-9]*)/metrics\b`)[1]
	// The program is not on PATH.
	call := demo.wait(t, `(?m)^  (ALIBABA_CLOUD_ACCESS_KEY_ID=.*\\\n.* call .*)$`)[1]
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", call).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("alikafka_pre-cn-")) {
		t.Errorf("%s: %v\n%.1000s", call, err, out)
	}
	lines := map[string]string{}
	for _, program := range []string{"prometheus", "alertmanager"} {
		line := demo.wait(t, `(?m)^  (`+program+` --.*)$`)[1]
		lines[program] = line
		address := regexp.MustCompile(`--web\.listen-address=(\S+)`).FindStringSubmatch(line)[1]
		eventually(t, address+" is free", func() bool {
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
			if err != nil {
				return false
			}
			return l.Close() == nil
		})
	}
	for _, program := range []string{"alertmanager", "prometheus"} {
		start(t, "sh", "-c", "exec "+lines[program]).wait(t, `msg="Listening on".*address=127\.0\.0\.1:[1-9][0-9]*`)
	}
	prom := prometheus{url: "http://127.0.0.1:9090"}
	eventually(t, "Prometheus scrapes the demo", func() bool {
		return prom.ready(t) && len(prom.query(t, `alikafka_up == 1 and on (job, instance) up == 1`)) > 0
	})
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Type, LastError string }
			} `json:"groups"`
			ActiveAlertmanagers []struct{ URL string } `json:"activeAlertmanagers"`
		} `json:"data"`
	}
	eventually(t, "Prometheus has found Alertmanager", func() bool {
		prom.get(t, "/api/v1/alertmanagers", &answer)
		return len(answer.Data.ActiveAlertmanagers) == 1
	})
	shipped, err := os.ReadFile("../../alerts/alikafka.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	prom.get(t, "/api/v1/rules", &answer)
	alerts := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.LastError != "" {
				t.Errorf("rule %s: %s", r.Name, r.LastError)
			}
			if r.Type == "alerting" {
				alerts++
			}
		}
	}
	if want := strings.Count(string(shipped), "- alert: "); alerts != want || want == 0 {
		t.Errorf("%d alerts are loaded, %d are shipped", alerts, want)
	}
	// Alertmanager knows the way and has the token.
	s := &site{web: &door{address: strings.TrimPrefix(base, "http://")}, peers: []string{"http://127.0.0.1:9093"}}
	s.fire(t, "AlikafkaConsumerGroupPartitionBound", time.Now().Add(time.Hour))
	eventually(t, "the demo takes in what Alertmanager sends", func() bool { return s.metric(t, acceptedDeliveries) > 0 })
	for name, want := range map[string]string{"runbooks.example.yaml": "../../alerts/runbooks.example.yaml", "alikafka.rules.yml": "../../alerts/alikafka.rules.yml"} {
		got, err := os.ReadFile(filepath.Join(dir, "monitoring", name))
		is, err2 := os.ReadFile(want)
		if err != nil || err2 != nil || !bytes.Equal(got, is) {
			t.Errorf("%s is not what is shipped: %v %v", name, err, err2)
		}
	}
	if err := demo.Stop(); err != nil {
		t.Errorf("demo after SIGTERM: %v", err)
	}
}

// ready reports whether it answers queries.
func (p prometheus) ready(t *testing.T) bool {
	t.Helper()
	status, _ := fetch(t, p.url+"/-/ready")
	return status == http.StatusOK
}
