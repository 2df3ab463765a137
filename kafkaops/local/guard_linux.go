package local

import "syscall"

// childAttr: a process group of its own, so that nothing sent to the guard's group reaches a JVM, and death with the guard, even where the
// guard is killed with SIGKILL (PR_SET_PDEATHSIG).
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
