package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal/journaltest"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// running runs a test on a lab whose engine runs.
func running(t *testing.T, change func(*lab, *sim.Options), f func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, change)
		l.start()
		defer func() { l.stop() }()
		f(l)
	})
}

func TestWhoMayApprove(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		ctx := l.t.Context()
		r := l.do(stepOf("UpdateAllowedIp").request("1"))
		if r.State != engine.StatePending || r.Plan.Approvals != 1 || sample(l.t, l, "alikafka_runs_pending_approval", "") != 1 {
			l.t.Fatalf("%s, %d approvals", r.State, r.Plan.Approvals)
		}
		for name, c := range map[string]struct {
			who  engine.Actor
			hash string
			want error
		}{
			"whoever asked":              {alice, r.Plan.Hash, engine.ErrSelfApproval},
			"a webhook":                  {hook, r.Plan.Hash, engine.ErrNotAPerson},
			"a person, for another plan": {bob, "0000", engine.ErrPlanHash},
		} {
			if _, err := l.engine.Approve(ctx, r.ID, c.who, c.hash); !errors.Is(err, c.want) {
				l.t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := l.engine.Approve(ctx, "nosuch", bob, r.Plan.Hash); !isUnknown(err) {
			l.t.Errorf("no such run: %v", err)
		}
		time.Sleep(20 * time.Minute)
		if n := len(l.effects("UpdateAllowedIp")); n > 0 {
			l.t.Fatalf("%d effects before the approval", n)
		}
		if r, err := l.engine.Approve(ctx, r.ID, bob, r.Plan.Hash); err != nil || r.State != engine.StateQueued {
			l.t.Fatal(r.State, err)
		}
		if _, err := l.engine.Approve(ctx, r.ID, carol, r.Plan.Hash); !errors.Is(err, engine.ErrNotPending) {
			l.t.Errorf("approved twice: %v", err)
		}
		if r = l.end(r.ID); r.State != engine.StateApplied || len(l.effects("UpdateAllowedIp")) != 1 {
			l.t.Errorf("%s %s", r.State, r.Why)
		}
	})
}

func isUnknown(err error) bool {
	_, ok := errors.AsType[*engine.UnknownError](err)
	return ok
}

func TestAWebhooksRunAboveWriteNeedsTwoPeople(t *testing.T) {
	t.Parallel()
	running(t, func(l *lab, _ *sim.Options) { l.config.Guards.Whitelist.Allowed = []string{"10.9.0.0/16"} }, func(l *lab) {
		q := by(hook, stepOf("UpdateAllowedIp"))
		q.Key = "episode"
		r := l.do(q)
		if r.Plan.Approvals != 2 {
			l.t.Fatalf("%d approvals, %s", r.Plan.Approvals, r.Why)
		}
		if r, err := l.engine.Approve(l.t.Context(), r.ID, bob, r.Plan.Hash); err != nil || r.State != engine.StatePending {
			l.t.Fatal(r.State, err)
		}
		if _, err := l.engine.Approve(l.t.Context(), r.ID, bob, r.Plan.Hash); !errors.Is(err, engine.ErrApprovedOnce) {
			l.t.Errorf("the same person again: %v", err)
		}
		if r, err := l.engine.Approve(l.t.Context(), r.ID, carol, r.Plan.Hash); err != nil || r.State != engine.StateQueued {
			l.t.Fatal(r.State, err)
		}
	})
}

func TestDriftVoidsAnApproval(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		q := stepOf("ModifyPartitionNum").request("1")
		q.RequireApproval = true
		r := l.do(q)
		if err := l.cloud.AddPartitions(sim.Ref{Account: "main", Instance: post, Topic: "orders"}, 1); err != nil {
			l.t.Fatal(err)
		}
		r, err := l.engine.Approve(l.t.Context(), r.ID, bob, r.Plan.Hash)
		if err != nil || r.State != engine.StateVoid || r.Why == "" {
			l.t.Fatalf("%s %s, %v", r.State, r.Why, err)
		}
		time.Sleep(time.Hour)
		if n := len(l.effects("ModifyPartitionNum")); n > 0 {
			l.t.Errorf("%d effects", n)
		}
	})
}

func TestApprovalsSurviveARestartAndExpire(t *testing.T) {
	t.Parallel()
	running(t, func(l *lab, _ *sim.Options) { l.config.Guards.Whitelist.Allowed = []string{"10.9.0.0/16"} }, func(l *lab) {
		q := by(hook, stepOf("UpdateAllowedIp"))
		q.Key = "episode"
		r := l.do(q)
		if _, err := l.engine.Approve(l.t.Context(), r.ID, bob, r.Plan.Hash); err != nil {
			l.t.Fatal(err)
		}
		l.stop()
		l.disk.Crash(func(int) int { return 0 })
		time.Sleep(10 * time.Minute)
		l.start()
		got, _ := l.engine.Get(r.ID)
		if got.State != engine.StatePending || len(got.Approvals) != 1 || got.Plan.Hash != r.Plan.Hash {
			l.t.Fatalf("after a restart: %s, %d approvals", got.State, len(got.Approvals))
		}
		time.Sleep(21 * time.Minute)
		if got, _ = l.engine.Get(r.ID); got.State != engine.StateExpired {
			l.t.Fatalf("after half an hour: %s", got.State)
		}
		if _, err := l.engine.Approve(l.t.Context(), r.ID, carol, r.Plan.Hash); !errors.Is(err, engine.ErrNotPending) {
			l.t.Errorf("too late: %v", err)
		}
	})
}

// What people approve may be long ago: what the collector knows and what is
// configured count when it is sent.
func TestAnApprovalIsJudgedByWhatIsKnownThen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		guard  string
		change func(*lab)
	}{
		"a message came meanwhile": {"delete_in_use", func(l *lab) {
			l.inventory.set(0, func(i *collector.Instance) {
				for _, topic := range i.Topics {
					topic.Status.Data.LastMessage = time.Now().UnixMilli()
				}
			})
		}},
		"polling has ended meanwhile":       {"stale_data", func(l *lab) { l.inventory.set(time.Hour, nil) }},
		"the name is protected meanwhile":   {"protected_name", reconfigured(func(g *engine.Guards) { g.Delete.Protected = mustRegexp("unused") })},
		"the action is denied meanwhile":    {"allow_list", reconfigured(func(g *engine.Guards) { g.Deny = []string{"DeleteTopic"} })},
		"the effect is forbidden meanwhile": {"allow_list", reconfigured(func(g *engine.Guards) { g.Effects = []string{"Write"} })},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			running(t, nil, func(l *lab) {
				r := l.do(stepOf("DeleteTopic").request("1"))
				time.Sleep(5 * time.Minute)
				c.change(l)
				_, err := l.engine.Approve(l.t.Context(), r.ID, bob, r.Plan.Hash)
				refused, ok := errors.AsType[*engine.RefusedError](err)
				if !ok || refused.Verdicts[0].Guard != c.guard {
					l.t.Errorf("approved: %v", err)
				}
				if got, _ := l.engine.Get(r.ID); got.State != engine.StatePending || len(got.Approvals) > 0 {
					l.t.Errorf("%s, %d approvals", got.State, len(got.Approvals))
				}
				if n := l.cloud.Calls(sim.Match{Action: "DeleteTopic"}).Calls; n > 0 {
					l.t.Errorf("%d calls", n)
				}
			})
		})
	}
}

func reconfigured(change func(*engine.Guards)) func(*lab) {
	return func(l *lab) {
		c := l.config
		change(&c.Guards)
		l.engine.Configure(l.accounts, l.inventory, c)
	}
}

// A run that waited for its turn is judged by the limits in force when it
// leaves.
func TestWhatIsForbiddenMeanwhileIsNotSent(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		l.cloud.SetFault(sim.Match{Action: "ModifyPartitionNum"}, *sim.Throttle())
		r := l.do(stepOf("ModifyPartitionNum").request("1"))
		time.Sleep(100 * time.Millisecond) // flow control has answered once
		reconfigured(func(g *engine.Guards) { g.Deny = []string{"ModifyPartitionNum"} })(l)
		r = l.end(r.ID)
		if calls := l.cloud.Calls(sim.Match{Action: "ModifyPartitionNum"}).Calls; r.State != engine.StateNotApplied || !refusedBy(r, "allow_list") || calls != 1 {
			l.t.Errorf("%s %s after %d calls: %+v", r.State, r.Why, calls, r.Refusals())
		}
		if n := sample(l.t, l, "alikafka_guard_refusals_total", "allow_list"); n != 1 {
			l.t.Errorf("%v refusals counted", n)
		}
	})
}

func TestReject(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		r := l.do(stepOf("UpdateAllowedIp").request("1"))
		if _, err := l.engine.Reject(l.t.Context(), r.ID, bob, "0", ""); !errors.Is(err, engine.ErrPlanHash) {
			l.t.Error(err)
		}
		r, err := l.engine.Reject(l.t.Context(), r.ID, alice, r.Plan.Hash, "no need")
		if err != nil || r.State != engine.StateRejected {
			l.t.Errorf("%s, %v", r.State, err)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		ctx := l.t.Context()
		q := stepOf("ModifyPartitionNum").request("key")
		l.cloud.SetFault(sim.Match{Action: "GetTopicList"}, sim.Fault{Latency: 3 * time.Second})
		first := make(chan engine.Run)
		go func() {
			r, _ := l.engine.Do(ctx, q)
			first <- r
		}()
		time.Sleep(time.Second)
		if _, err := l.engine.Do(ctx, q); !isInFlight(err) {
			l.t.Errorf("while it is planned: %v", err)
		}
		r := <-first
		if again, err := l.engine.Do(ctx, q); err != nil || again.ID != r.ID {
			l.t.Errorf("again: %s, %v", again.ID, err)
		}
		other := q
		other.Params = on(post, "Topic", "orders", "TargetPartitionNum", "24")
		if _, err := l.engine.Do(ctx, other); !isReused(err) {
			l.t.Errorf("with other parameters: %v", err)
		}
		other.Actor = bob // whose key it is not
		if _, err := l.engine.Do(ctx, other); err != nil {
			l.t.Errorf("another person's: %v", err)
		}
		l.end(r.ID)
	})
}

func isInFlight(err error) bool {
	_, ok := errors.AsType[*engine.KeyInFlightError](err)
	return ok
}

func isReused(err error) bool {
	_, ok := errors.AsType[*engine.KeyReusedError](err)
	return ok
}

func TestRequestsThatAreWrong(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		orders := stepOf("ModifyPartitionNum")
		add := orders.with("AddPartitionNum", "6")
		delete(add.params, "TargetPartitionNum")
		noKey := orders.request("")
		for name, c := range map[string]struct {
			q     engine.Request
			param string
		}{
			"no key":                        {noKey, "Idempotency-Key"},
			"an increment alone":            {add.request("1"), "ExpectedPartitionNum"},
			"both":                          {orders.with("AddPartitionNum", "6").request("1"), "AddPartitionNum"},
			"too many partitions":           {orders.with("TargetPartitionNum", "361").request("1"), "TargetPartitionNum"},
			"fewer partitions":              {orders.with("TargetPartitionNum", "5").request("1"), "TargetPartitionNum"},
			"a smaller disk":                {stepOf("UpgradePostPayOrder").with("DiskSize", "100").request("1"), "DiskSize"},
			"a parameter that nobody knows": {orders.with("Force", "true").request("1"), "Force"},
			"an action in a name":           {stepOf("CreateTopic").with("Topic", "x&Action=DeleteTopic").request("1"), "Topic"},
			"another region":                {orders.with("RegionId", "cn-beijing").request("1"), "RegionId"},
			"a password in the clear":       {engine.Request{Key: "1", Actor: alice, Action: "CreateSaslUser", Params: on(post, "Username", "u", "Password", "hunter2")}, "Password"},
			"a resource of somebody else":   {stepOf("TagResources").with("ResourceId.2", ordered).request("1"), "ResourceId.N"},
		} {
			_, err := l.engine.Do(l.t.Context(), c.q)
			if !names(err, c.param) {
				l.t.Errorf("%s: %v", name, err)
			}
		}
		for _, q := range []engine.Request{
			orders.with("InstanceId", "alikafka_post-cn-nosuch").request("1"), orders.with("InstanceId", "*").request("1"),
			{Key: "1", Actor: alice, Action: "GetTopicList", Params: on(post)},
			{Key: "1", Actor: alice, Action: "DropEverything"},
		} {
			if _, err := l.engine.Do(l.t.Context(), q); !isUnknown(err) {
				l.t.Errorf("%s %v: %v", q.Action, q.Params, err)
			}
		}
		if n := len(l.cloud.Effects(sim.Match{})); n > 0 || len(l.engine.Runs(engine.Filter{})) > 0 {
			l.t.Errorf("%d effects", n)
		}
	})
}

// names reports whether one of the errors is about a parameter.
func names(err error, param string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if names(e, param) {
				return true
			}
		}
	}
	bad, ok := errors.AsType[*api.ParamError](err)
	return ok && bad.Param == param
}

func TestADryRunLeavesNothing(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		syncs := l.disk.Syncs()
		q := stepOf("ModifyPartitionNum").request("")
		q.DryRun = true
		r := l.do(q)
		if r.State != engine.StateDryRun || r.Plan.Desired["PartitionNum"] != "12" || r.Plan.Pre["PartitionNum"] != "6" || len(r.Verdicts) == 0 || r.Plan.Hash == "" {
			l.t.Errorf("%+v", r)
		}
		time.Sleep(time.Hour)
		if n := len(l.cloud.Effects(sim.Match{})); n > 0 || l.disk.Syncs() != syncs || len(l.engine.Runs(engine.Filter{})) > 0 {
			l.t.Errorf("%d effects", n)
		}
	})
}

func TestNothingIsSentThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		ctx := l.t.Context()
		l.disk.Limit(0) // full
		q := stepOf("ModifyPartitionNum").request("1")
		if _, err := l.engine.Do(ctx, q); !isNotActing(err) || !errors.Is(err, syscall.ENOSPC) {
			l.t.Errorf("full disk: %v", err)
		}
		if err := l.engine.Note(ctx, "intake", "x"); !isNotActing(err) {
			l.t.Errorf("a note on a full disk: %v", err)
		}
		time.Sleep(time.Hour)
		if n := l.cloud.Calls(sim.Match{Action: "ModifyPartitionNum"}).Calls; n > 0 {
			l.t.Fatalf("%d calls without an intent", n)
		}
		l.disk.Limit(-1)
		time.Sleep(proved)
		if r := l.end(l.do(q).ID); r.State != engine.StateApplied {
			l.t.Errorf("after room was made: %s %s", r.State, r.Why)
		}
		if sample(l.t, l, "alikafka_journal_writable", "") != 1 {
			l.t.Error("the journal is said not to be writable")
		}
		l.disk.Fail(failing("sync"))
		q.Key, q.Params = "2", on(post, "Topic", "orders0", "TargetPartitionNum", "8")
		remark := stepOf("ModifyTopicRemark").request("3")
		for _, q := range []engine.Request{remark, remark} {
			if _, err := l.engine.Do(ctx, q); !isNotActing(err) || !errors.Is(err, journal.ErrLatched) {
				l.t.Errorf("failed fsync: %v", err)
			}
			l.disk.Fail(nil) // that it works again proves nothing
		}
		if n := len(l.effects("ModifyTopicRemark")); n > 0 || sample(l.t, l, "alikafka_journal_writable", "") != 0 {
			l.t.Errorf("%d effects", n)
		}
	})
}

// proved is for how long a journal that can be written again may be said not to
// be.
const proved = 31 * time.Second

// TestAJournalThatCanBeWrittenAgainShowsByItself: nobody asks for anything, and
// room for less than what could not be written is none.
func TestAJournalThatCanBeWrittenAgainShowsByItself(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]func(d *journaltest.Disk){
		"no room":                   func(d *journaltest.Disk) { d.Limit(0) },
		"room for small records":    func(d *journaltest.Disk) { d.Limit(int64(len(d.Read(segmentOne))) + 1000) },
		"a write that always fails": func(d *journaltest.Disk) { d.Fail(failing("write")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running(t, nil, func(l *lab) {
				writable := func() bool { return sample(l.t, l, "alikafka_journal_writable", "") == 1 }
				if !writable() || l.engine.Err() != nil {
					l.t.Fatal("an empty journal cannot be written")
				}
				waits := l.do(stepOf("UpdateAllowedIp").request("0"))
				full(l.disk)
				if err := l.engine.Note(l.t.Context(), "intake", strings.Repeat("x", 5000)); !isNotActing(err) || writable() {
					l.t.Fatalf("writable %t: %v", writable(), err)
				}
				var off *engine.NotActingError
				if err := l.engine.Err(); !errors.As(err, &off) || errors.Is(err, journal.ErrLatched) || !strings.Contains(err.Error(), "tried again every 30s: ") {
					l.t.Errorf("Err: %v", err)
				}
				size, reads := len(l.disk.Read(segmentOne)), l.cloud.Calls(sim.Match{}).Calls
				for range 20 {
					time.Sleep(time.Minute)
					synctest.Wait() // it is tried at this very moment
					if writable() {
						l.t.Fatal("said to be writable while nothing that large can be written")
					}
				}
				if len(l.disk.Read(segmentOne)) != size {
					l.t.Error("the journal grew while it was tried")
				}
				if _, err := l.engine.Do(l.t.Context(), stepOf("ModifyPartitionNum").request("1")); !isNotActing(err) {
					l.t.Errorf("Do: %v", err)
				}
				if _, err := l.engine.Approve(l.t.Context(), waits.ID, bob, waits.Plan.Hash); !isNotActing(err) {
					l.t.Errorf("Approve: %v", err)
				}
				if n := l.cloud.Calls(sim.Match{}).Calls; n != reads {
					l.t.Errorf("%d calls for what cannot be recorded", n-reads)
				}
				l.disk.Limit(-1)
				l.disk.Fail(nil)
				time.Sleep(proved)
				if !writable() || l.engine.Err() != nil {
					l.t.Fatalf("there is room again: %v", l.engine.Err())
				}
				size, records := len(l.disk.Read(segmentOne)), sample(l.t, l, "alikafka_journal_records_total", "")
				time.Sleep(5 * time.Minute)
				if len(l.disk.Read(segmentOne)) != size || sample(l.t, l, "alikafka_journal_records_total", "") != records {
					l.t.Error("a journal that can be written is proved again")
				}
				if r := l.end(l.do(stepOf("ModifyPartitionNum").request("1")).ID); r.State != engine.StateApplied {
					l.t.Errorf("%s %s", r.State, r.Why)
				}
				l.stop()
				l.start() // the proofs are no obstacle
				if r := l.do(stepOf("ModifyPartitionNum").request("1")); r.State != engine.StateApplied {
					l.t.Errorf("%s after a restart", r.State)
				}
			})
		})
	}
}

// segmentOne is the first segment of a lab's journal.
const segmentOne = "/no/such/storage/journal/00000001.journal"

// failing is a disk on which an operation fails.
func failing(op string) func(string, string) error {
	return func(got, _ string) error {
		if got == op {
			return syscall.EIO
		}
		return nil
	}
}

func TestAJournalThatIsClosedForGoodIsNotTried(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		l.disk.Limit(0)
		if err := l.engine.Note(l.t.Context(), "intake", "x"); !errors.Is(err, syscall.ENOSPC) {
			l.t.Fatal(err)
		}
		l.disk.Limit(-1)
		l.disk.Fail(failing("sync"))
		time.Sleep(proved)
		l.disk.Fail(nil)
		size := len(l.disk.Read(segmentOne))
		time.Sleep(time.Hour)
		if err := l.engine.Err(); !errors.Is(err, journal.ErrLatched) || sample(l.t, l, "alikafka_journal_writable", "") != 0 {
			l.t.Errorf("after a failed fsync: %v", err)
		}
		if len(l.disk.Read(segmentOne)) != size {
			l.t.Error("something was written after a failed fsync")
		}
	})
}

func isNotActing(err error) bool {
	_, ok := errors.AsType[*engine.NotActingError](err)
	return ok
}

// TestAnIntentThatCannotBeRecordedIsNotSent fills the disk between plan and
// intent.
func TestAnIntentThatCannotBeRecordedIsNotSent(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		l.cloud.SetFault(sim.Match{Action: "GetTopicList"}, sim.Fault{Latency: 3 * time.Second})
		r := l.do(stepOf("ModifyPartitionNum").request("1"))
		l.disk.Limit(0)
		time.Sleep(time.Minute)
		l.disk.Limit(-1)
		if r = l.end(r.ID); r.State != engine.StateVoid || len(l.effects("ModifyPartitionNum")) > 0 {
			l.t.Errorf("%s %s, %d effects", r.State, r.Why, len(l.effects("ModifyPartitionNum")))
		}
	})
}

func TestAnOutcomeWaitsForRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		l.cloud.SetFault(sim.Match{Action: "ModifyPartitionNum"}, sim.Fault{Latency: 3 * time.Second})
		r := l.do(stepOf("ModifyPartitionNum").request("1"))
		time.Sleep(time.Second) // it is on its way
		l.disk.Limit(0)
		time.Sleep(10 * time.Minute)
		l.disk.Limit(-1)
		if r = l.end(r.ID); r.State != engine.StateApplied || r.Verification.AttributedBy != "ack" {
			l.t.Errorf("%s %s", r.State, r.Why)
		}
	})
}

func TestASecondProcessOnlyWatches(t *testing.T) {
	t.Parallel()
	running(t, func(l *lab, _ *sim.Options) {
		l.options = func(o *engine.Options) { o.Standby = "process 4711 holds the storage" }
	}, func(l *lab) {
		for _, err := range []error{
			l.engine.Err(), l.engine.Note(l.t.Context(), "x", 1), l.engine.SetKillSwitch(l.t.Context(), alice, true, "x"),
			func() error { _, err := l.engine.Do(l.t.Context(), stepOf("DeleteTopic").request("1")); return err }(),
		} {
			if !isNotActing(err) {
				l.t.Error(err)
			}
		}
		q := stepOf("ModifyPartitionNum").request("")
		q.DryRun = true
		if r := l.do(q); r.State != engine.StateDryRun {
			l.t.Errorf("a dry run: %s", r.State)
		}
	})
}

func TestANamesakeNeedsAHumanWhoResolvesIt(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		ctx := l.t.Context()
		needsHuman(l)
		if sample(l.t, l, "alikafka_runs_needs_human", "") != 1 || sample(l.t, l, "alikafka_breaker_open", "") != 1 {
			l.t.Error("metrics say nothing of it")
		}
		r := l.engine.Runs(engine.Filter{State: engine.StateNeedsHuman})[0]
		l.stop()
		l.start() // neither is forgotten
		if k := l.engine.KillSwitch(); !k.BreakerOpen {
			l.t.Error("the breaker closed by itself")
		}
		if _, err := l.engine.Resolve(ctx, r.ID, hook); !errors.Is(err, engine.ErrNotAPerson) {
			l.t.Error(err)
		}
		if r, err := l.engine.Resolve(ctx, r.ID, bob); err != nil || r.ResolvedBy == nil {
			l.t.Error(err)
		}
		if _, err := l.engine.Resolve(ctx, r.ID, carol); !errors.Is(err, engine.ErrNotUnresolved) {
			l.t.Errorf("somebody has looked already: %v", err)
		}
		if err := l.engine.SetKillSwitch(ctx, bob, false, "looked at it"); err != nil {
			l.t.Error(err)
		}
		if sample(l.t, l, "alikafka_runs_needs_human", "") != 0 || l.engine.KillSwitch().BreakerOpen {
			l.t.Error("it is open still")
		}
		if r := l.end(l.do(stepOf("ModifyPartitionNum").request("next")).ID); r.State != engine.StateApplied {
			l.t.Errorf("afterwards: %s %s", r.State, r.Why)
		}
	})
}

func TestSecretsAreReadFromTheirFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	running(t, func(l *lab, _ *sim.Options) {
		l.config.Secrets = map[string]string{"password": file}
		l.options = func(o *engine.Options) { o.Secret = nil }
	}, func(l *lab) {
		create := stepOf("CreateSaslUser")
		r := l.end(l.approve(l.do(create.request("1"))).ID)
		if r.State != engine.StateVoid || len(l.effects("CreateSaslUser")) > 0 {
			l.t.Errorf("without the file: %s %s", r.State, r.Why)
		}
		for content, want := range map[string]string{"\n": file + " is empty", strings.Repeat("x", 64<<10+1): file + " is not a regular file of at most 65536 bytes"} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				l.t.Fatal(err)
			}
			r = l.end(l.approve(l.do(create.request(want))).ID)
			if r.State != engine.StateVoid || !strings.Contains(r.Why, want) || len(l.effects("CreateSaslUser")) > 0 {
				l.t.Errorf("%d bytes: %s %s", len(content), r.State, r.Why)
			}
		}
		if err := os.WriteFile(file, []byte("canary-hunter2\n"), 0o600); err != nil {
			l.t.Fatal(err)
		}
		if r = l.end(l.approve(l.do(create.request("2"))).ID); r.State != engine.StateApplied {
			l.t.Errorf("%s %s", r.State, r.Why)
		}
		create.refs = map[string]string{"Password": "nosuch"}
		if _, err := l.engine.Do(l.t.Context(), create.request("3")); !names(err, "Password") {
			l.t.Errorf("no such secret: %v", err)
		}
	})
}

func TestARunWaitsForItsAccount(t *testing.T) {
	t.Parallel()
	running(t, nil, func(l *lab) {
		l.cloud.SetFault(sim.Match{Action: "ModifyPartitionNum"}, sim.Fault{Kind: sim.Reset, Executed: true})
		l.cloud.SetFault(sim.Match{Action: "GetTopicList"}, sim.Fault{Latency: 3 * time.Second})
		r := l.do(stepOf("ModifyPartitionNum").request("1"))
		time.Sleep(4 * time.Second) // it was sent; nothing is known
		l.stop()
		accounts := l.accounts
		l.options = func(o *engine.Options) { o.Accounts = nil }
		l.start()
		time.Sleep(24 * time.Hour)
		if got, _ := l.engine.Get(r.ID); got.State != engine.StateReconciling {
			l.t.Fatalf("without its account: %s %s", got.State, got.Why)
		}
		l.engine.Configure(accounts, l.inventory, l.config)
		if got := l.end(r.ID); got.State != engine.StateApplied || len(l.effects("ModifyPartitionNum")) != 1 {
			l.t.Errorf("%s %s", got.State, got.Why)
		}
	})
}
