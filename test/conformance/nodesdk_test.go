package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// nodeSDK drives @alicloud/alikafka20190916 in a process of its own.
type nodeSDK struct {
	known map[string]nodeAction
	in    *json.Encoder
	out   *bufio.Reader
}

type nodeAction struct {
	Fields []string `json:"fields"`
	Params []string `json:"params"`
}

// nodeReply is a line of the driver's.
type nodeReply struct {
	Body  json.RawMessage `json:"body"`
	Error *struct {
		Code    string `json:"code"`
		Status  int    `json:"status"`
		Message string `json:"message"`
	} `json:"error"`
}

// install fetches the SDK unless it is there. It skips the test on a machine
// without node.
func install(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: the Node SDK needs %s (Debian: apt-get install nodejs npm)", program)
		}
	}
	lock, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	stamp := filepath.Join("node", "node_modules", ".installed")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, lock) {
		return
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(stamp, lock, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newNodeSDK starts the driver, until the test ends.
func newNodeSDK(t *testing.T, address string, key sim.Key) *nodeSDK {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "driver.js", address)
	cmd.Dir = "node"
	cmd.Env = append(os.Environ(), "ALIBABA_CLOUD_ACCESS_KEY_ID="+key.ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+key.Secret,
		"ALIBABA_CLOUD_SECURITY_TOKEN="+key.Token, "NO_PROXY=127.0.0.1")
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // the driver ends with its input
		_ = cmd.Wait() // killed when it does not
	})
	s := &nodeSDK{in: json.NewEncoder(in), out: bufio.NewReader(out)}
	if err := s.read(&s.known); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *nodeSDK) read(into any) error {
	line, err := s.out.ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return errors.New("the driver ended")
	}
	if err != nil {
		return fmt.Errorf("driver: %w", err)
	}
	return json.Unmarshal(line, into)
}

func (s *nodeSDK) actions() []string { return slices.Collect(maps.Keys(s.known)) }

func (s *nodeSDK) fields(action string) fields {
	f := make(fields)
	for _, path := range s.known[action].Fields {
		f[path] = true
	}
	return f
}

func (s *nodeSDK) knows(action, param string) bool {
	return slices.Contains(s.known[action].Params, param)
}

func (s *nodeSDK) call(action string, p params) (leaves, error) {
	err := s.in.Encode(struct {
		Action string `json:"action"`
		Params params `json:"params"`
	}{action, p})
	if err != nil {
		return nil, fmt.Errorf("driver: %w", err)
	}
	var r nodeReply
	if err := s.read(&r); err != nil {
		return nil, err
	}
	if r.Error != nil {
		err := errors.New(strings.TrimSpace(r.Error.Message))
		if r.Error.Status >= 400 {
			return nil, &refused{code: r.Error.Code, err: err}
		}
		return nil, err
	}
	return readJSON(r.Body)
}
