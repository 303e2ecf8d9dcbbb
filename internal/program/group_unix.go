//go:build unix

package program

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the program the leader of a process group, and has
// cancellation kill the whole group.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		killGroup(cmd)
		return nil
	}
}

// killGroup kills every process of the program's group that is left. There is
// nothing to do about an error: the group is gone, or not ours any more.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
