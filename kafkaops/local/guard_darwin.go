package local

import "syscall"

// childAttr: a process group of its own, so that nothing sent to the guard's group reaches a JVM. There is no parent-death signal here:
// what a killed guard leaves behind is found by the next start, by pid and start time.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
