package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

func TestTheGateKnowsEveryAttemptBeforeItIsSent(t *testing.T) {
	t.Parallel()
	answers := []string{`{"Code":"Throttling.User","Message":"slow down"}`, `{"RequestId":"r-1"}`}
	var nonces []string
	srv, seen := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		nonces = append(nonces, r.Form.Get("SignatureNonce"))
		if len(nonces) < 2 {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, answers[len(nonces)-1])
	})
	c, _ := at(t, srv, nil)
	var told []api.Signed
	ctx := api.WithGate(t.Context(), func(_ context.Context, s api.Signed) error {
		if _, sent := seen.counts(); sent != len(told) {
			t.Errorf("attempt %d had left", s.Number)
		}
		told = append(told, s)
		return nil
	})
	if _, err := api.Call(ctx, c, instances); err == nil && len(told) > 0 {
		t.Error("a read was held up")
	}
	nonces = nil
	seen.mu.Lock()
	seen.requests = nil
	seen.mu.Unlock()
	if _, err := api.Call(ctx, c, modify); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0].Nonce != nonces[0] || told[1].Nonce != nonces[1] || told[1].Number != 2 || told[1].After != "Throttling.User" || told[0].After != "" {
		t.Errorf("told %+v, sent %v", told, nonces)
	}
}

func TestTheGateHoldsBack(t *testing.T) {
	t.Parallel()
	srv, seen := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	c, _ := at(t, srv, nil)
	stop := errors.New("the disk is full")
	_, err := api.Call(api.WithGate(t.Context(), func(context.Context, api.Signed) error { return stop }), c, modify)
	if !errors.Is(err, stop) || api.OutcomeOf(err) != api.OutcomeNotDone {
		t.Errorf("%v, %v", err, api.OutcomeOf(err))
	}
	if _, sent := seen.counts(); sent != 0 {
		t.Errorf("%d requests were sent", sent)
	}
}
