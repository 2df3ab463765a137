package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// The keeper is a small process that waits for kassa to end. When kassa ends without having said goodbye (a panic in any goroutine, a
// kill -9), it gives the terminal back as it was. Bubble Tea does so only for panics in its own goroutines.

const keeperCommand = "terminal-keeper"

const (
	keeperState = 3 // the terminal, as a file descriptor of the keeper
	goodbye     = 'q'
)

// reset leaves whatever mode the screen may have set: synchronized output, mouse, paste, focus, keyboard enhancements, hidden
// cursor, colours (also those that a theme has the terminal take on), alternate screen.
var reset = ansi.ResetModeSynchronizedOutput + ansi.ResetModeMouseButtonEvent + ansi.ResetModeMouseAnyEvent +
	ansi.ResetModeMouseExtSgr + ansi.ResetModeBracketedPaste + ansi.ResetModeFocusEvent +
	ansi.PopKittyKeyboard(1) + ansi.ResetModifyOtherKeys + ansi.SetModeTextCursorEnable + ansi.ResetBackgroundColor + ansi.ResetForegroundColor + ansi.ResetStyle + ansi.ResetModeAltScreenSaveCursor

// keeper is kassa's end of it.
type keeper struct {
	pipe *os.File
	cmd  *exec.Cmd
}

// startKeeper remembers how the terminal is now and starts the process that can restore it. Its failure costs a safety net only.
func startKeeper(tty *os.File, logFile string) (*keeper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own binary: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(self, keeperCommand, logFile)
	cmd.Stdin = r
	ready, err := cmd.StdoutPipe()
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	cmd.ExtraFiles = []*os.File{tty}
	// A session of its own: the terminal's signals and its job control do not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start terminal keeper: %w", err)
	}
	// The terminal must be remembered before anybody changes it.
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		w.Close()
		_ = cmd.Wait()
		return nil, fmt.Errorf("start terminal keeper: %w", err)
	}
	return &keeper{pipe: w, cmd: cmd}, nil
}

// dismiss says that the terminal has been restored, and waits for the keeper's end.
func (k *keeper) dismiss() {
	if k == nil {
		return
	}
	_, _ = k.pipe.Write([]byte{goodbye})
	_ = k.pipe.Close()
	_ = k.cmd.Wait()
}

// runKeeper is the whole life of the keeper.
func runKeeper(stdin io.Reader) int {
	tty := os.NewFile(keeperState, "terminal")
	state, err := term.GetState(tty.Fd())
	if err != nil {
		return exitCannot
	}
	_, _ = os.Stdout.Write([]byte{'\n'}) // ready
	var last byte
	for in := bufio.NewReader(stdin); ; {
		b, err := in.ReadByte()
		if err != nil {
			break
		}
		last = b
	}
	if last == goodbye {
		return exitOK
	}
	_, _ = io.WriteString(tty, reset)
	_ = term.Restore(tty.Fd(), state)
	if len(os.Args) > 2 {
		fmt.Fprintf(tty, "\r\nkassa ended without a goodbye. Its log is %s\r\n", os.Args[2])
	}
	return exitOK
}

// crashLog has the Go runtime write a fatal panic to the log too: on the screen it is gone with the alternate screen.
func crashLog(f *os.File) { _ = debug.SetCrashOutput(f, debug.CrashOptions{}) }
