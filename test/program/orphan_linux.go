package program

import (
	"os/exec"
	"syscall"
)

// dieWithUs has the kernel end the program when we die without a chance to
// clean up, as on a timeout.
func dieWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
