package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/journal"
)

func (p *program) addAudit() {
	audit := p.Command("audit", "Read the journal of what was done, also while the exporter runs.")
	show := audit.Command("show", "Print the records.")
	asJSON := show.Flag("json", "Print whole records, one JSON object a line.").Bool()
	only := show.Flag("run", "Only records of the run of that id.").String()
	path := auditPath(show)
	p.addVersion(show)
	p.commands[show.FullCommand()] = func(context.Context) error {
		_, err := scanJournal(*path, func(r journal.Record, _ journal.Hash) error { return showRecord(p.stdout, r, *only, *asJSON) })
		return err
	}
	verify := audit.Command("verify", "Check the hash chain over all records. Compare its head with one that was kept elsewhere, such as alikafka_journal_head.")
	head := verify.Flag("head", "Fail unless the chain once had this head: the 64 digits that an earlier verify printed, or the value of alikafka_journal_head.").String()
	verifyPath := auditPath(verify)
	p.addVersion(verify)
	p.commands[verify.FullCommand()] = func(context.Context) error { return verifyJournal(p.stdout, *verifyPath, *head) }
}

func auditPath(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("storage.path", "The exporter's --storage.path.").Required().PlaceHolder("DIR").String()
}

// scanJournal reads a journal without touching it.
func scanJournal(path string, fn func(journal.Record, journal.Hash) error) (journal.Summary, error) {
	sum, err := journal.Scan(journal.ReadOnly{}, filepath.Join(path, "journal"), fn)
	if err == nil && sum.Segments == 0 {
		err = errors.New("there is no journal in " + path)
	}
	return sum, err
}

// showRecord prints one record; of those of runs what an auditor asks first.
func showRecord(w io.Writer, r journal.Record, only string, asJSON bool) error {
	event, isRun := strings.CutPrefix(r.Kind, "run/")
	var run engine.Run
	if isRun {
		if err := json.Unmarshal(r.Body, &run); err != nil {
			return fmt.Errorf("record %d: %w", r.Seq, err)
		}
	}
	if only != "" && run.ID != only {
		return nil
	}
	if asJSON {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", line)
		return err
	}
	at := r.At.UTC().Format(time.RFC3339)
	if !isRun {
		_, err := fmt.Fprintf(w, "%d  %s  %s%s\n", r.Seq, at, r.Kind, stopOf(r))
		return err
	}
	target := run.Plan.Target.InstanceID
	if run.Plan.Target.Name != "" {
		target += "/" + run.Plan.Target.Name
	}
	_, err := fmt.Fprintf(w, "%d  %s  %s  %s  %s %s  %s by %s%s\n", r.Seq, at, run.ID, event, run.Action, target, run.State, run.Actor.Principal, whyOf(run))
	return err
}

// stopOf says who stopped acting, or let it go on, and why; empty: it is no
// record of that.
func stopOf(r journal.Record) string {
	var k struct {
		Stop   bool   `json:"stop"`
		By     string `json:"by"`
		Reason string `json:"reason"`
	}
	if r.Kind != "kill_switch" || json.Unmarshal(r.Body, &k) != nil || k.By == "" {
		return ""
	}
	words := map[bool]string{true: "  stopped by ", false: "  let go on by "}[k.Stop] + k.By
	if k.Reason != "" {
		words += ": " + k.Reason
	}
	return words
}

func whyOf(run engine.Run) string {
	var b strings.Builder
	for _, a := range run.Approvals {
		verb := "approved"
		if a.Rejected {
			verb = "rejected"
		}
		fmt.Fprintf(&b, ", %s by %s", verb, a.Actor.Principal)
	}
	if run.Why != "" {
		b.WriteString(": " + run.Why)
	}
	return b.String()
}

// verifyJournal checks the chain and, where one is given, that a head was once
// its own.
func verifyJournal(w io.Writer, path, head string) error {
	found := head == ""
	head = plainHead(head)
	sum, err := scanJournal(path, func(_ journal.Record, h journal.Hash) error {
		found = found || head == h.String() || head == headNumber(h)
		return nil
	})
	if err != nil {
		return err
	}
	for _, h := range []journal.Hash{sum.Prev, sum.Head} {
		found = found || head == h.String() || head == headNumber(h)
	}
	_, err = fmt.Fprintf(w, "%s in %s, the chain is whole\nhead %s\nalikafka_journal_head %s\n",
		count(int(sum.Records), "record"), count(sum.Segments, "segment"), sum.Head, headNumber(sum.Head))
	if sum.First > 1 {
		_, _ = fmt.Fprintf(w, "it begins with record %d and continues head %s: older segments are kept elsewhere or gone\n", sum.First, sum.Prev)
	}
	if sum.Torn > 0 {
		_, _ = fmt.Fprintf(w, "the last %d bytes are of a write that was never finished or goes on\n", sum.Torn)
	}
	if err == nil && !found {
		err = fmt.Errorf("the chain never had the head %s: records were changed or taken away", head)
		if sum.First > 1 {
			err = fmt.Errorf("the chain has not had the head %s since record %d: look where the older segments are kept", head, sum.First)
		}
	}
	return err
}

// plainHead writes a value of alikafka_journal_head as headNumber does: in an
// exposition, and in Prometheus, it has an exponent.
func plainHead(head string) string {
	if len(head) == hex.EncodedLen(len(journal.Hash{})) {
		return head
	}
	f, err := strconv.ParseFloat(head, 64)
	if err != nil || f < 0 || f >= 1<<48 || f != math.Trunc(f) {
		return head
	}
	return strconv.FormatUint(uint64(f), 10)
}

// headNumber writes a hash as alikafka_journal_head shows it: its first 48
// bits, as a number.
func headNumber(h journal.Hash) string {
	return strconv.FormatUint(binary.BigEndian.Uint64(h[:8])>>16, 10)
}
