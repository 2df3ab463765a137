package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"kassa/kafkaops"
)

// engineWithin is how long an engine may take to say its version. A socket that nobody serves keeps the command waiting.
const engineWithin = 3 * time.Second

// docker is the user's docker command: contexts, DOCKER_HOST, credentials and the socket are its to know.
type docker struct {
	path string
	env  []string // beside the environment of this process; later ones win
}

// findDocker fails with a sentence for the user unless there is a docker command.
func findDocker() (docker, error) {
	path, err := exec.LookPath("docker")
	if err != nil {
		return docker{}, &kafkaops.UserError{Message: "there is no docker command: install Docker with its compose plugin, or choose --cluster local or embedded", Err: err}
	}
	return docker{path: path}, nil
}

// check fails with a sentence for the user unless an engine answers and docker has its compose plugin.
func (d docker) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, engineWithin)
	defer cancel()
	if _, err := d.run(ctx, "compose", "version", "--short"); err != nil {
		return &kafkaops.UserError{Message: fmt.Sprintf("docker has no compose plugin (%v): install it, or choose --cluster local or embedded", err), Err: err}
	}
	if _, err := d.run(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return &kafkaops.UserError{Message: fmt.Sprintf("no Docker engine answers (%v): start it, or choose --cluster local or embedded", err), Err: err}
	}
	return nil
}

// run returns what docker prints, without the white space around it. The error is what docker complained of.
func (d docker) run(ctx context.Context, args ...string) (string, error) {
	cmd := d.command(ctx, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err == nil {
		return strings.TrimSpace(string(out)), nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("docker %s: %w", args[0], context.Cause(ctx))
	}
	return "", &dockerError{verb: args[0], said: said(complaint.String()), err: err}
}

// command is docker in a session of its own: neither ctrl+c nor a terminal that goes away ends it half-way. ctx does, in order first.
func (d docker) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.path, args...)
	cmd.Env = append(os.Environ(), d.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // its plugin too
	cmd.WaitDelay = 2 * time.Second                                                      // then it is killed; a grandchild may keep the pipe
	return cmd
}

// dockerError is a docker command that failed.
type dockerError struct {
	verb string
	said string // the last line that tells why
	err  error
}

func (e *dockerError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("docker %s: %v", e.verb, e.err)
	}
	return e.said
}

func (e *dockerError) Unwrap() error { return e.err }

// said finds the line in which docker says what is wrong: among the steps of its progress, the last one.
func said(stderr string) string {
	lines := strings.FieldsFunc(stderr, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "See 'docker") {
			continue
		}
		line = strings.TrimPrefix(line, "Error response from daemon: ")
		return strings.TrimRight(line, ".")
	}
	return ""
}

// gone says that docker does not know the container any more.
func gone(err error) bool {
	var d *dockerError
	return errors.As(err, &d) && strings.Contains(strings.ToLower(d.said), "no such")
}
