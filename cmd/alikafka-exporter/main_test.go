package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alikafka-exporter": main})
}

// The stories run the program as users do. Beside testscript's own commands
// they have:
//
//	start NAME ARG...          runs the program in the background; output goes to NAME.out and NAME.err
//	signal NAME HUP            sends a signal
//	halt NAME [CODE]           sends SIGTERM; the program ends with CODE (0) within the 10 s that containers are given
//	ended NAME CODE            waits for the program to end by itself
//	waitfor FILE REGEXP [VAR]  waits until whole lines of FILE match; VAR gets the first group
//	rewritten FILE             waits until FILE holds what was known after the command began: it is replaced twice
//	[!] http [-X METHOD] [-d FILE] [-u USER:PASSWORD] [-ca FILE] [-until REGEXP] URL [STATUS]
//	                           asks until STATUS (200) and body are as wanted, once without -until;
//	                           the body is stdout. With !, the request itself must fail
//	moves URL METRIC           waits until a series of METRIC has another value than at first
//	keypair CERT KEY           writes a certificate for 127.0.0.1
//	absent TEXT FILE...        fails where TEXT is in a FILE
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": cmdStart, "signal": cmdSignal, "halt": cmdStop, "ended": cmdEnded,
			"waitfor": cmdWaitfor, "rewritten": cmdRewritten, "http": cmdHTTP, "moves": cmdMoves, "keypair": cmdKeypair, "absent": cmdAbsent,
		},
		Setup: func(e *testscript.Env) error {
			e.Values[background{}] = map[string]*exec.Cmd{}
			repository, err := filepath.Abs("../..")
			e.Setenv("REPO", repository)
			// Built with the race detector, a program waits for a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return err
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// patience is how long a story waits for something that must happen.
const patience = 3 * time.Minute

// background is the key of the programs that `start` started, by name.
type background struct{}

func running(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := ts.Value(background{}).(map[string]*exec.Cmd)[args[0]]
	if cmd == nil {
		ts.Fatalf("%s was not started", args[0])
	}
	return cmd
}

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	// The script's environment is told by nothing else.
	ts.Check(ts.Exec("env", "-0"))
	cmd := exec.Command("alikafka-exporter", args[1:]...) // `halt` ends it, or the end of the script
	cmd.Env = strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\x00"), "\x00")
	cmd.Dir = ts.MkAbs(".")
	var err error
	cmd.Stdout, err = os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	cmd.Stderr, err = os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Value(background{}).(map[string]*exec.Cmd)[name] = cmd
	ts.Defer(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ts.Logf("[%s was still running]\n%s", name, ts.ReadFile(name+".err"))
		}
	})
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": os.Interrupt, "KILL": os.Kill}
	ts.Check(running(ts, args).Process.Signal(signals[args[1]]))
}

func cmdStop(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(running(ts, args).Process.Signal(syscall.SIGTERM))
	start := time.Now()
	cmdEnded(ts, false, append(args, "0")[:2])
	if took := time.Since(start); took > 10*time.Second {
		ts.Fatalf("%s took %s to stop", args[0], took)
	}
}

func cmdEnded(ts *testscript.TestScript, _ bool, args []string) {
	cmd := running(ts, args)
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait()
	if code := strconv.Itoa(cmd.ProcessState.ExitCode()); code != args[1] {
		ts.Fatalf("%s ended with code %s, want %s\n%s", args[0], code, args[1], ts.ReadFile(args[0]+".err"))
	}
}

// eventually calls f until it reports that all is well.
func eventually(f func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if f() {
			return true
		}
	}
	return f()
}

func cmdWaitfor(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile("(?m)" + args[1])
	var match []string
	if !eventually(func() bool {
		text := ts.ReadFile(args[0])
		match = re.FindStringSubmatch(text[:strings.LastIndexByte(text, '\n')+1]) // more of the last line may come
		return match != nil
	}) {
		ts.Fatalf("%s does not match %s:\n%s", args[0], args[1], ts.ReadFile(args[0]))
	}
	if len(args) > 2 {
		ts.Setenv(args[2], match[1])
	}
}

// A file whose writing began before the command did may be the first to come.
func cmdRewritten(ts *testscript.TestScript, _ bool, args []string) {
	var last os.FileInfo
	for range 3 {
		if !eventually(func() bool {
			is, err := os.Stat(ts.MkAbs(args[0]))
			if err != nil || last != nil && os.SameFile(is, last) && is.ModTime().Equal(last.ModTime()) {
				return false
			}
			last = is
			return true
		}) {
			ts.Fatalf("%s is not written again", args[0])
		}
	}
}

func cmdAbsent(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		for line := range strings.Lines(ts.ReadFile(file)) {
			if strings.Contains(line, args[0]) {
				ts.Fatalf("%s contains %s: %s", file, args[0], line)
			}
		}
	}
}

// httpRequest is a parsed `http` command.
type httpRequest struct {
	method, user, ca, url, body string
	until                       *regexp.Regexp
	status                      int
}

func parseHTTP(ts *testscript.TestScript, args []string) httpRequest {
	r := httpRequest{method: http.MethodGet, status: http.StatusOK}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-X":
			r.method = args[1]
		case "-u":
			r.user = args[1]
		case "-ca":
			r.ca = ts.ReadFile(args[1])
		case "-d":
			r.method, r.body = http.MethodPost, ts.ReadFile(args[1])
		case "-until":
			r.until = regexp.MustCompile("(?m)" + args[1])
		default:
			ts.Fatalf("http: unknown option %s", args[0])
		}
		args = args[2:]
	}
	r.url = args[0]
	if len(args) > 1 {
		var err error
		r.status, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	return r
}

func (r httpRequest) do() (status int, body string, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if r.ca != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(r.ca))
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client := http.Client{Transport: transport, Timeout: patience}
	req, err := http.NewRequestWithContext(context.Background(), r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return 0, "", err
	}
	if user, password, ok := strings.Cut(r.user, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	r := parseHTTP(ts, args)
	var (
		status int
		body   string
		err    error
	)
	good := func() bool {
		status, body, err = r.do()
		return err == nil && status == r.status && (r.until == nil || r.until.MatchString(body))
	}
	if r.until != nil {
		eventually(good)
	} else {
		good()
	}
	_, _ = io.WriteString(ts.Stdout(), body)
	switch {
	case neg && err == nil:
		ts.Fatalf("%s answered %d", r.url, status)
	case neg:
		_, _ = io.WriteString(ts.Stderr(), err.Error()+"\n")
	case err != nil:
		ts.Fatalf("%s: %v", r.url, err)
	case status != r.status:
		ts.Fatalf("%s answered %d, want %d:\n%s", r.url, status, r.status, body)
	case r.until != nil && !r.until.MatchString(body):
		ts.Fatalf("%s does not match %s:\n%s", r.url, r.until, body)
	}
}

// seriesOf returns the lines of a metric.
func seriesOf(page, metric string) map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, metric+"{") {
			lines[line] = true
		}
	}
	return lines
}

func cmdMoves(ts *testscript.TestScript, _ bool, args []string) {
	r := httpRequest{method: http.MethodGet, url: args[0]}
	var first map[string]bool
	if !eventually(func() bool {
		_, page, err := r.do()
		ts.Check(err)
		now := seriesOf(page, args[1])
		if len(first) == 0 {
			first = now
		}
		return len(now) > 0 && !maps.Equal(first, now)
	}) {
		ts.Fatalf("%s does not move: %d series", args[1], len(first))
	}
}

func cmdKeypair(ts *testscript.TestScript, _ bool, args []string) {
	cert, key, err := newKeypair()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), key, 0o600))
}
