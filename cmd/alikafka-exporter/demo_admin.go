package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

// demoPrincipals are those of the demo: alice acts, bob and carol approve, and
// alerts come from alertmanager.
func demoPrincipals() []admin.Principal {
	all, err := collector.NewRegexp(".*")
	if err != nil {
		panic(err) // it is a constant
	}
	return []admin.Principal{
		{Name: "alice", Kind: "person", Effects: []string{"Read", "Write", "Secure"}, Instances: all},
		{Name: "bob", Kind: "person", Effects: []string{"Read"}, Instances: all, MayApprove: true, Privileged: true},
		{Name: "carol", Kind: "person", Effects: []string{"Read"}, Instances: all, MayApprove: true},
		{Name: "alertmanager", Kind: "webhook", Instances: all},
	}
}

// demoTokens makes the tokens that are not there yet, in a directory of the
// storage that only its owner can read, and returns the directory. Without a
// storage there are none.
func demoTokens(storage string) (string, error) {
	if storage == "" {
		return "", nil
	}
	dir, err := filepath.Abs(filepath.Join(storage, "tokens"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("tokens of the demo: %w", err)
	}
	for _, p := range demoPrincipals() {
		random := make([]byte, 32)
		_, _ = rand.Read(random)                                                                       // it never fails
		file, err := os.OpenFile(filepath.Join(dir, p.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // our own directory
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			_, err = fmt.Fprintln(file, hex.EncodeToString(random))
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return "", fmt.Errorf("tokens of the demo: %w", err)
		}
	}
	return dir, nil
}

// demoAdmin lets the principals act on the simulated cloud, and alerts start
// all runbooks.
func demoAdmin(c *config.Config, tokens string, runbooks []admin.Runbook) {
	c.Admin.Principals = demoPrincipals()
	for i := range c.Admin.Principals {
		p := &c.Admin.Principals[i]
		p.TokenFile = filepath.Join(tokens, p.Name)
		for _, r := range runbooks {
			if p.Kind == "webhook" {
				p.Runbooks = append(p.Runbooks, r.Name)
			}
		}
	}
	c.Runbooks = runbooks
	c.Admin.Engine.Guards.Whitelist.Allowed = []string{"10.20.0.0/16"}
	optedIn, err := collector.NewRegexp("refunds|coupons")
	if err != nil {
		panic(err) // it is a constant
	}
	c.Admin.Engine.Guards.Partitions.Topics = optedIn
}

// greetAdmin prints what to try on the admin endpoint. A test runs the lines.
func greetAdmin(w io.Writer, a *app, tokens string) {
	bold, plain := styles(w)
	base := "http://" + reachable(a.admin.listener.Addr())
	lines := strings.NewReplacer("BASE", base, "TOKENS", tokens, "INSTANCE", "alikafka_pre-cn-zvp2n4kd1001").Replace(`
  as() { who=$1; shift; curl -sS -H "Authorization: Bearer $(cat TOKENS/$who)" -H 'Content-Type: application/json' "$@"; }

  # Six partitions more for a topic: what would happen, and then for real.
  as alice 'BASE/api/v1/actions/ModifyPartitionNum?dry_run=true' -d '{"InstanceId": "INSTANCE", "Topic": "refunds", "TargetPartitionNum": 12}'
  as alice BASE/api/v1/actions/ModifyPartitionNum -H 'Idempotency-Key: demo-scale' -H 'Prefer: wait=60' -d '{"InstanceId": "INSTANCE", "Topic": "refunds", "TargetPartitionNum": 12}'

  # Guards refuse what is too much, and a topic that nobody opted in.
  as alice BASE/api/v1/actions/ModifyPartitionNum -H 'Idempotency-Key: demo-refused' -d '{"InstanceId": "INSTANCE", "Topic": "payments", "TargetPartitionNum": 300}'

  # Who may connect is for two people to decide: alice asks, bob approves the plan.
  as alice BASE/api/v1/actions/UpdateAllowedIp -H 'Idempotency-Key: demo-allow' -d '{"InstanceId": "INSTANCE", "UpdateType": "add", "AllowedListType": "vpc", "PortRange": "9092/9092", "AllowedListIp": "10.20.30.0/24"}' >TOKENS/run.json
  RUN=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' TOKENS/run.json)
  HASH=$(sed -n 's/^    "hash": "\(.*\)"$/\1/p' TOKENS/run.json)
  as bob BASE/api/v1/runs/$RUN/approve -d "{\"plan_hash\": \"$HASH\"}"

  # What was done and why: plan, verdicts of the guards, approval, call, verification.
  as alice -H 'Prefer: wait=60' BASE/api/v1/runs/$RUN
`)
	_, _ = fmt.Fprintf(w, "  %[1]sadmin%[2]s     %[3]s/  (open it, and type a token of %[4]s)\n\nChange the cloud from a shell:\n%[5]s\n", bold, plain, base, tokens, lines)
}
