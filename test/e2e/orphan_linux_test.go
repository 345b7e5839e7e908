package e2e_test

import (
	"os/exec"
	"syscall"
)

// dieWithTest has the kernel end the program when the test binary dies
// without a chance to clean up, as on a timeout.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
