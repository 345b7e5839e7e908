package sim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// Each model of counting, at the moments where the models differ.
func TestWindows(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		window sim.Window
		qps    float64
		at     []time.Duration // of calls, after a whole second
		good   []bool
	}{
		{
			"fixed windows allow twice the limit across a border", sim.WindowFixed, 3,
			[]time.Duration{900 * ms, 910 * ms, 920 * ms, 930 * ms, 1000 * ms, 1001 * ms, 1002 * ms, 1003 * ms},
			[]bool{true, true, true, false, true, true, true, false},
		},
		{
			"sliding windows do not", sim.WindowSliding, 3,
			[]time.Duration{900 * ms, 910 * ms, 920 * ms, 930 * ms, 1000 * ms, 1899 * ms, 1900 * ms, 1905 * ms, 1910 * ms},
			[]bool{true, true, true, false, false, false, true, false, true},
		},
		{
			"a bucket refills evenly", sim.WindowBucket, 3,
			[]time.Duration{0, 0, 0, 0, 333 * ms, 334 * ms, 335 * ms, 668 * ms, 2000 * ms, 2000 * ms, 2000 * ms, 2000 * ms},
			[]bool{true, true, true, false, false, true, false, true, true, true, true, false},
		},
		{
			"less than one a second", sim.WindowFixed, 0.5,
			[]time.Duration{0, 1999 * ms, 2000 * ms, 3999 * ms},
			[]bool{true, false, true, false},
		},
		{"less than one in a century", sim.WindowSliding, 1e-30, []time.Duration{0, time.Hour}, []bool{true, false}},
		{"more than can be counted", sim.WindowFixed, 1e30, []time.Duration{0, 0, 0, 0}, []bool{true, true, true, true}},
		{"nothing", sim.WindowFixed, 0, []time.Duration{0, time.Hour}, []bool{false, false}},
		{"no limit", sim.WindowFixed, -1, []time.Duration{0, 0, 0, 0, 0}, []bool{true, true, true, true, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(t, sim.Options{Story: "calm", Limits: sim.Limits{Window: tt.window}})
				cloud.SetLimit("GetInstanceList", tt.qps)
				c := newClient(t, cloud)
				start := time.Now()
				for i, at := range tt.at {
					time.Sleep(time.Until(start.Add(at)))
					status, body := c.call("GetInstanceList")
					if (status == 200) != tt.good[i] {
						t.Errorf("call %d at %v: %d %.200s", i, at, status, body)
					}
					if status != 200 && decodeError(t, body).Code != "Throttling.User" {
						t.Errorf("call %d: %s", i, body)
					}
				}
			})
		})
	}
}

// Counters are per account and action, or per region as well.
func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	for _, perRegion := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cloud := newCloud(t, sim.Options{
				World:  twoAccounts(),
				Limits: sim.Limits{Default: 1, Actions: map[string]float64{"GetQuotaTip": 2}, PerRegion: perRegion},
			})
			own, other := newClient(t, cloud), newClient(t, cloud)
			other.id, other.secret = "otherid", "othersecret"
			expect := func(name string, good bool, c *client, action string, params ...string) {
				t.Helper()
				if status, body := c.call(action, params...); (status == 200) != good {
					t.Errorf("per region %t: %s: %d %.200s", perRegion, name, status, body)
				}
			}
			in := []string{"InstanceId", "alikafka_pre-cn-own1"}
			expect("first", true, own, "GetInstanceList")
			expect("second", false, own, "GetInstanceList")
			expect("another account", true, other, "GetInstanceList")
			expect("another action", true, own, "GetTopicList", in...)
			expect("its own limit", true, own, "GetQuotaTip", in...)
			expect("its own limit", true, own, "GetQuotaTip", in...)
			expect("past its own limit", false, own, "GetQuotaTip", in...)
			own.host = "127.0.0.1"
			expect("another region", perRegion, own, "GetInstanceList", "RegionId", "cn-shanghai")
			cloud.SetLimit("", 5)
			for range 4 {
				expect("raised", true, own, "GetInstanceList")
			}
			got := cloud.Calls(sim.Match{Account: "own", Action: "GetInstanceList", RegionID: "cn-hangzhou"})
			if got.Calls != 6 || got.Throttled != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// The address that calls come from is limited over everything.
func TestSourceLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := newCloud(t, sim.Options{Story: "calm", Limits: sim.Limits{Default: -1}})
		c := newClient(t, cloud)
		codes := make(map[code]int)
		for range 150 {
			_, body := c.call("GetInstanceList")
			codes[decodeError(t, body).Code]++
		}
		if codes["200"] != 100 || codes["Throttling"] != 50 {
			t.Errorf("got %v", codes)
		}
		cloud.SetSourceLimit(-1)
		if status, _ := c.call("GetInstanceList"); status != 200 {
			t.Errorf("lifted: %d", status)
		}
	})
}
