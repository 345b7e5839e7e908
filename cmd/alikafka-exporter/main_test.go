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
	testscript.Main(m, map[string]func(){"alikafka-exporter": func() {
		if os.Getenv(oneByOne) == "" {
			main()
			return
		}
		if err := runOneByOne(); err != nil {
			panic(err)
		}
	}})
}

// The stories run the program as users do. Beside testscript's own commands
// they have:
//
//	[!] exporter [CODE] ARG... runs a command of the program to its end, which fails with !, and with that CODE
//	start NAME ARG...          runs the program in the background; output goes to NAME.out and NAME.err
//	signal NAME HUP            sends a signal
//	halt NAME [CODE]           sends SIGTERM; the program ends with CODE (0)
//	ended NAME CODE            waits for the program to end by itself
//	waitfor FILE REGEXP [VAR]  waits, while a program writes FILE, until whole lines of it match; VAR gets the first group
//	rewritten FILE             waits until FILE holds what was known after the command began: it is replaced twice
//	[!] http [-X METHOD] [-d FILE] [-u USER:PASSWORD] [-t FILE] [-ca FILE] [-until REGEXP] URL [STATUS]
//	                           asks until STATUS (200) and body are as wanted, once without -until;
//	                           the body is stdout. -d posts a FILE of JSON, -t sends the token in a
//	                           FILE. With !, the request itself must fail
//	moves URL METRIC           waits until a series of METRIC has another value than at first
//	keypair CERT KEY           writes a certificate for 127.0.0.1
//	absent TEXT FILE...        fails where TEXT is in a FILE
//
// Stories run in real time, and none of them says how long anything may take: a
// command waits for what must happen for as long as `go test` lets it. What the
// program does within limits of time is for tests in simulated time.
func TestScripts(t *testing.T) {
	t.Parallel()
	ctx := patience(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exporter": cmdExporter, "start": cmdStart, "signal": cmdSignal, "halt": cmdStop, "ended": cmdEnded,
			"waitfor": cmdWaitfor, "rewritten": cmdRewritten, "http": cmdHTTP, "moves": cmdMoves, "keypair": cmdKeypair, "absent": cmdAbsent,
		},
		Setup: func(e *testscript.Env) error {
			e.Values[background{}] = map[string]*started{}
			e.Values[waitKey{}] = ctx
			e.Values[commandKey{}] = &commands{t: t}
			repository, err := filepath.Abs("../..")
			e.Setenv("REPO", repository)
			// Built with the race detector, a program waits for a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			if testing.Short() {
				// A sixth less work; what races is found on one processor, too.
				e.Setenv("GOMAXPROCS", "1")
			}
			return err
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// patience returns a context that ends shortly before `go test` gives up, so
// that a test in real time which waits in vain can say what it has seen.
func patience(t *testing.T) context.Context {
	t.Helper()
	end, limited := t.Deadline()
	if !limited {
		return t.Context()
	}
	ctx, cancel := context.WithDeadline(t.Context(), end.Add(-time.Until(end)/10))
	t.Cleanup(cancel)
	return ctx
}

// waitKey is the key of the context for which the commands of a story wait.
type waitKey struct{}

func waiting(ts *testscript.TestScript) context.Context {
	return ts.Value(waitKey{}).(context.Context)
}

// background is the key of the programs that `start` started, by name, until a
// command has waited for their end.
type background struct{}

type started struct {
	*exec.Cmd

	ended chan struct{} // closed when it has
}

func inBackground(ts *testscript.TestScript) map[string]*started {
	return ts.Value(background{}).(map[string]*started)
}

func running(ts *testscript.TestScript, args []string) *started {
	p := inBackground(ts)[args[0]]
	if p == nil {
		ts.Fatalf("%s does not run", args[0])
	}
	return p
}

// anyHasEnded reports whether a program has ended that no command has waited
// for.
func anyHasEnded(ts *testscript.TestScript) bool {
	for _, p := range inBackground(ts) {
		select {
		case <-p.ended:
			return true
		default:
		}
	}
	return false
}

// environment returns the variables of a script.
func environment(ts *testscript.TestScript) []string {
	ts.Check(ts.Exec("env", "-0")) // nothing else tells them
	return strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\x00"), "\x00")
}

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	cmd := exec.Command("alikafka-exporter", args[1:]...) // `halt` ends it, or the end of the script
	cmd.Env = environment(ts)
	cmd.Dir = ts.MkAbs(".")
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ts.Check(cmd.Start())
	p := &started{cmd, make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // its state tells more
	}()
	inBackground(ts)[name] = p
	ts.Defer(func() {
		if inBackground(ts)[name] == p {
			_ = cmd.Process.Kill()
			<-p.ended
			ts.Logf("[%s was still running, or had ended unasked: %s]\n%s", name, cmd.ProcessState, ts.ReadFile(name+".err"))
		}
	})
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": os.Interrupt, "KILL": os.Kill}
	ts.Check(running(ts, args).Process.Signal(signals[args[1]]))
}

func cmdStop(ts *testscript.TestScript, _ bool, args []string) {
	ended := running(ts, args).Process.Signal(syscall.SIGTERM)
	want := append(args, "0")[1]
	code, stderr := end(ts, args)
	if ended != nil {
		ts.Fatalf("%s had ended with code %s before: %v\n%s", args[0], code, ended, stderr)
	}
	if want == "0" && code == "1" && wasTooSlow(stderr) {
		ts.Logf("%s took its time to stop", args[0])
		return
	}
	expectCode(ts, args[0], code, want, stderr)
}

// wasTooSlow reports whether the program complains of one thing alone at its
// end: that polling took more than two seconds to stop. On a busy machine that
// says nothing about the program. That polling ends at all is for
// TestTwoLivesLeaveNothingBehind.
func wasTooSlow(stderr string) bool {
	complaint := "alikafka-exporter: error: polling did not end within " + stopWait.String() + "\n"
	return strings.HasSuffix(stderr, complaint) && strings.Count(stderr, "alikafka-exporter: error: ") == 1
}

func cmdEnded(ts *testscript.TestScript, _ bool, args []string) {
	code, stderr := end(ts, args)
	expectCode(ts, args[0], code, args[1], stderr)
}

func expectCode(ts *testscript.TestScript, name, code, want, stderr string) {
	if code != want {
		ts.Fatalf("%s ended with code %s, want %s\n%s", name, code, want, stderr)
	}
}

// end waits for the end of a program and returns its code and what it wrote.
func end(ts *testscript.TestScript, args []string) (code, stderr string) {
	p := running(ts, args)
	select {
	case <-p.ended:
	case <-waiting(ts).Done():
		ts.Fatalf("%s does not end", args[0])
	}
	delete(inBackground(ts), args[0])
	return strconv.Itoa(p.ProcessState.ExitCode()), ts.ReadFile(args[0] + ".err")
}

// eventually calls f until it reports that all is well, or ctx ends. It asks
// less and less often, because asking keeps the program from what it is to do.
func eventually(ctx context.Context, f func() bool) bool {
	for wait := 10 * time.Millisecond; !f(); wait = min(2*wait, 500*time.Millisecond) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return f()
		}
	}
	return true
}

// comes is eventually for a story, which waits in vain once a program in the
// background has ended.
func comes(ts *testscript.TestScript, f func() bool) bool {
	var good bool
	eventually(waiting(ts), func() bool {
		last := anyHasEnded(ts)
		good = f()
		return good || last
	})
	return good
}

func cmdWaitfor(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile("(?m)" + args[1])
	name := strings.TrimSuffix(args[0], filepath.Ext(args[0]))
	var match []string
	if !comes(ts, func() bool {
		written := inBackground(ts)[name] == nil
		text := ts.ReadFile(args[0])
		match = re.FindStringSubmatch(text[:strings.LastIndexByte(text, '\n')+1]) // more of the last line may come
		return match != nil || written
	}) || match == nil {
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
		if !comes(ts, func() bool {
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
	method, user, token, ca, url, body string
	until                              *regexp.Regexp
	status                             int
}

func parseHTTP(ts *testscript.TestScript, args []string) httpRequest {
	r := httpRequest{method: http.MethodGet, status: http.StatusOK}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-X":
			r.method = args[1]
		case "-u":
			r.user = args[1]
		case "-t":
			r.token = strings.TrimSpace(ts.ReadFile(args[1]))
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

func (r httpRequest) do(ctx context.Context) (status int, body string, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if r.ca != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(r.ca))
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client := http.Client{Transport: transport}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return 0, "", err
	}
	if user, password, ok := strings.Cut(r.user, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
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
		status, body, err = r.do(waiting(ts))
		return err == nil && status == r.status && (r.until == nil || r.until.MatchString(body))
	}
	if r.until != nil {
		comes(ts, good)
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
	if !comes(ts, func() bool {
		_, page, err := r.do(waiting(ts))
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
