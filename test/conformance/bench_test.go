//go:build unix

package conformance_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/alikafka"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// serveEnv makes the test binary the server of the benchmark, so that only the
// work of the client is measured.
const serveEnv = "CONFORMANCE_SERVE"

func TestMain(m *testing.M) {
	edition, ok := map[string]sim.Edition{"2022": sim.Edition2022, "current": sim.EditionCurrent}[os.Getenv(serveEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := serveLarge(edition); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// partitions is how many a call of the benchmark reads.
const partitions = 1000

// serveLarge serves a group that reads a large topic until standard input
// ends.
func serveLarge(edition sim.Edition) error {
	w := sim.World{Accounts: []sim.Account{{Name: "acme", Keys: []sim.Key{key}, Instances: []sim.Instance{{
		ID:     subscription,
		Topics: []sim.Topic{{Name: "orders", Partitions: partitions, Rate: 10_000}},
		Groups: []sim.Group{{Name: "billing", Members: 20, Subscriptions: []sim.Subscription{{Topic: "orders"}}}},
	}}}}}
	cloud, err := sim.New(sim.Options{World: &w, Edition: edition, Limits: sim.Limits{Default: -1, PerSourceIP: -1}})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, l.Addr())
	server := &http.Server{Handler: &replay{cloud: cloud}, ReadHeaderTimeout: time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// replay answers every client's first call from the cloud, which judges the
// signature, and every call with the first of these answers: all clients read
// the same bytes, and wait for none to be made.
type replay struct {
	cloud http.Handler

	mu      sync.Mutex
	clients map[string]bool
	reply   *httptest.ResponseRecorder
}

func (p *replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if client := r.UserAgent(); !p.clients[client] {
		reply := httptest.NewRecorder()
		p.cloud.ServeHTTP(reply, r)
		if p.clients == nil {
			p.clients, p.reply = map[string]bool{}, reply
		}
		if p.clients[client] = reply.Code == http.StatusOK; !p.clients[client] {
			http.Error(w, reply.Body.String(), reply.Code)
			return
		}
	}
	maps.Copy(w.Header(), p.reply.Header())
	w.WriteHeader(p.reply.Code)
	_, _ = w.Write(p.reply.Body.Bytes()) // a client that went away is no matter
}

// child serves in a process of its own and returns its address.
func child(b *testing.B, edition string) string {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Env = append(os.Environ(), serveEnv+"="+edition)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it ends with its input, or is killed
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// cost is what blocks of calls took of this process.
type cost struct {
	cpu           []time.Duration // of each block
	allocs, bytes uint64
}

// perCall is the processor time of a call in the median block: a neighbour on
// the machine disturbs some.
func (c *cost) perCall() float64 {
	slices.Sort(c.cpu)
	return float64(c.cpu[len(c.cpu)/2].Nanoseconds()) / block / 1000
}

// block is how many calls are measured at a time: so many that the garbage
// collector's work for them falls among them.
const block = 50

func (c *cost) add(b *testing.B, call func() error) {
	b.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := used(b)
	for range block {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	c.cpu = append(c.cpu, used(b)-cpu)
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.bytes += after.TotalAlloc - before.TotalAlloc
}

// used is the processor time of this process, user and system.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bar is how many times cheaper our call must be.
const bar = 5

// BenchmarkAgainstSDK makes whole GetConsumerProgress calls of 1,000
// partitions over a socket, our own and those of an official Go SDK in turn,
// and compares what they take. It fails when ours is not five times cheaper in
// allocations, or in processor time where both read the same.
//
// older is alibaba-cloud-sdk-go. older/2022 is the service as it was when both
// read the same. By now it fills fields that the SDK's type does not have and
// our client reads, three strings a partition: older. current is the runtime of
// the current SDK with the type of its model, because no proxy has the module
// of that model.
func BenchmarkAgainstSDK(b *testing.B) {
	for _, c := range []struct {
		name, edition string
		theirs        func(b *testing.B, address string) func() error
		cpu           float64 // bar for processor time; 0: none
	}{
		{"older/2022", "2022", olderCall, bar},
		{"older", "current", olderCall, 0},
		{"current", "current", currentCall, bar},
	} {
		b.Run(c.name, func(b *testing.B) {
			address := child(b, c.edition)
			against(b, ownCall(b, address), c.theirs(b, address), c.cpu)
		})
	}
}

func against(b *testing.B, ours, theirs func() error, bestCPU float64) {
	b.Helper()
	var own, sdk, warm cost
	warm.add(b, ours)
	warm.add(b, theirs)
	for b.Loop() {
		own.add(b, ours)
		sdk.add(b, theirs)
	}
	calls := float64(len(own.cpu) * block)
	cpu := sdk.perCall() / own.perCall()
	allocs := float64(sdk.allocs) / float64(own.allocs)
	b.ReportMetric(own.perCall(), "own-cpu-µs")
	b.ReportMetric(sdk.perCall(), "sdk-cpu-µs")
	b.ReportMetric(cpu, "cpu-ratio")
	b.ReportMetric(float64(own.allocs)/calls, "own-allocs")
	b.ReportMetric(float64(sdk.allocs)/calls, "sdk-allocs")
	b.ReportMetric(allocs, "allocs-ratio")
	b.ReportMetric(float64(sdk.bytes)/float64(own.bytes), "bytes-ratio")
	b.ReportMetric(0, "ns/op") // of a round: says nothing
	if cpu < bestCPU || allocs < bar {
		b.Errorf("a call of our own is %.1f times cheaper in processor time and %.1f times in allocations, not %d times", cpu, allocs, bar)
	}
}

func ownCall(b *testing.B, address string) func() error {
	b.Helper()
	const fast = 1e6 // calls per second
	limits := api.RateLimits{
		Share: 1, Scope: "account", Default: fast, PerSourceIP: fast, Actions: map[string]float64{"GetConsumerProgress": fast},
	}
	c, err := api.NewClient(api.Options{
		Account: "own", Credentials: ownKey{}, Endpoints: map[string]string{region: "http://" + address},
		Limiter: api.NewLimiter(limits, api.NewSourceLimit(fast)),
	})
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		q := api.GetConsumerProgress{RegionID: region, InstanceID: subscription, ConsumerID: "billing"}
		r, err := api.Call(b.Context(), c, q)
		if err == nil && len(r.Progress.Topics[0].Offsets) != partitions {
			err = fmt.Errorf("%d partitions", len(r.Progress.Topics[0].Offsets))
		}
		return err
	}
}

func olderCall(b *testing.B, address string) func() error {
	b.Helper()
	c, err := alikafka.NewClientWithAccessKey(region, key.ID, key.Secret)
	if err != nil {
		b.Fatal(err)
	}
	c.Domain = address
	return func() error {
		q := alikafka.CreateGetConsumerProgressRequest()
		q.Scheme, q.InstanceId, q.ConsumerId = "http", subscription, "billing"
		r, err := c.GetConsumerProgress(q)
		if err == nil && len(r.ConsumerProgress.TopicList.TopicListItem[0].OffsetList.OffsetListItem) != partitions {
			err = errors.New("partitions are missing")
		}
		return err
	}
}

// modelOfProgress is the answer as the generated model declares it.
type modelOfProgress struct {
	Headers    map[string]*string `json:"headers,omitempty"`
	StatusCode *int32             `json:"statusCode,omitempty"`
	Body       *struct {
		Code             *int32  `json:"Code,omitempty"`
		Message          *string `json:"Message,omitempty"`
		RequestID        *string `json:"RequestId,omitempty"`
		Success          *bool   `json:"Success,omitempty"`
		ConsumerProgress *struct {
			LastTimestamp *int64  `json:"LastTimestamp,omitempty"`
			TotalDiff     *int64  `json:"TotalDiff,omitempty"`
			State         *string `json:"state,omitempty"`
			TopicList     *struct {
				TopicList []*struct {
					LastTimestamp *int64  `json:"LastTimestamp,omitempty"`
					Topic         *string `json:"Topic,omitempty"`
					TotalDiff     *int64  `json:"TotalDiff,omitempty"`
					OffsetList    *struct {
						OffsetList []*struct {
							Accumulate     *int64  `json:"Accumulate,omitempty"`
							BrokerOffset   *int64  `json:"BrokerOffset,omitempty"`
							ClientID       *string `json:"ClientId,omitempty"`
							ClientIP       *string `json:"ClientIp,omitempty"`
							ConsumerOffset *int64  `json:"ConsumerOffset,omitempty"`
							LastTimestamp  *int64  `json:"LastTimestamp,omitempty"`
							MemberID       *string `json:"MemberId,omitempty"`
							Partition      *int32  `json:"Partition,omitempty"`
						} `json:"OffsetList,omitempty"`
					} `json:"OffsetList,omitempty"`
				} `json:"TopicList,omitempty"`
			} `json:"TopicList,omitempty"`
		} `json:"ConsumerProgress,omitempty"`
	} `json:"body,omitempty"`
}

func currentCall(b *testing.B, address string) func() error {
	b.Helper()
	c, err := openapi.NewClient(&openapiutil.Config{
		AccessKeyId: new(key.ID), AccessKeySecret: new(key.Secret), Endpoint: &address, Protocol: new("HTTP"),
	})
	if err != nil {
		b.Fatal(err)
	}
	action := &openapiutil.Params{
		Action: new("GetConsumerProgress"), Version: new(api.Version), Protocol: new("HTTP"), Pathname: new("/"), Method: new("POST"),
		AuthType: new("AK"), Style: new("RPC"), ReqBodyType: new("formData"), BodyType: new("json"),
	}
	return func() error {
		answer, err := c.CallApi(action, &openapiutil.OpenApiRequest{Query: map[string]*string{
			"RegionId": new(region), "InstanceId": new(subscription), "ConsumerId": new("billing"),
		}}, &dara.RuntimeOptions{})
		if err != nil {
			return err
		}
		var r modelOfProgress
		err = dara.Convert(answer, &r)
		if err == nil && len(r.Body.ConsumerProgress.TopicList.TopicList[0].OffsetList.OffsetList) != partitions {
			err = errors.New("partitions are missing")
		}
		return err
	}
}
