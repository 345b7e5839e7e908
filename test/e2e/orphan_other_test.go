//go:build !linux

package e2e_test

import "os/exec"

// dieWithTest has no counterpart off Linux.
func dieWithTest(*exec.Cmd) {}
