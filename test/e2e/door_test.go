package e2e_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// door is an address that stays the same while a program behind it comes and
// goes. The test listens on it all the time: a port that was only found free
// may be another program's when it is needed.
type door struct {
	address string

	mu     sync.Mutex
	behind string              // where callers are taken; "" for nobody there
	open   map[net.Conn]string // connections, and where they lead
}

// newDoor opens one with nobody behind it.
func newDoor(t *testing.T) *door {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{address: l.Addr().String(), open: map[net.Conn]string{}}
	ctx := context.WithoutCancel(t.Context()) // which ends before the programs do
	var callers sync.WaitGroup
	callers.Go(func() {
		for {
			caller, err := l.Accept()
			if err != nil {
				return
			}
			callers.Go(func() { d.take(ctx, caller) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		d.leadTo("")
		callers.Wait()
	})
	return d
}

func (d *door) url() string { return "http://" + d.address }

// leadTo takes callers to an address from now on, "" to none, and hangs up on
// those that were taken to another one.
func (d *door) leadTo(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.behind = address
	for c, to := range d.open {
		if to != address {
			_ = c.Close()
		}
	}
}

// enter notes a connection; false where it is too late for it.
func (d *door) enter(c net.Conn, to string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.behind != to {
		return false
	}
	d.open[c] = to
	return true
}

func (d *door) leave(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c)
}

// take passes on what is said until one side hangs up.
func (d *door) take(ctx context.Context, caller net.Conn) {
	defer caller.Close()
	d.mu.Lock()
	to := d.behind
	d.mu.Unlock()
	if to == "" || !d.enter(caller, to) {
		return
	}
	defer d.leave(caller)
	host, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer host.Close()
	if !d.enter(host, to) {
		return
	}
	defer d.leave(host)
	var said sync.WaitGroup
	said.Go(func() {
		_, _ = io.Copy(host, caller)
		_ = host.Close()
		_ = caller.Close()
	})
	_, _ = io.Copy(caller, host)
	_ = caller.Close()
	_ = host.Close()
	said.Wait()
}
