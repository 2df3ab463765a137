//go:build e2e

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a person does at a real terminal, and sees, is written down in testdata/hands, one file a story, one act a line:
//
//	terminal 80x24          the size to begin with
//	env TERM=linux          one variable of the program's environment
//	kassa --cluster embedded   starts it
//	shell                   starts a shell with job control instead
//	see A | B               waits until the screen shows all of these; /A/ is a regular expression
//	gone A                  waits until it does not show this
//	told A => K             waits until the screen names the key like this, then presses it
//	press K K               presses keys, by the names of tmux
//	type TEXT               types text
//	paste TEXT              pastes it; Go's escapes stand for what cannot be written
//	long                    left out of the short form (go test -short)
//	broker N                goes to broker N in pane 5
//	let NAME /…(…)…/        remembers what the screen shows; $NAME stands for it from there on
//	resize 20x5             changes the size of the terminal
//	jvms N                  so many brokers run
//	within 60s              since kassa was started
//	hang up                 closes the terminal: the program ends
//	restored                the terminal is as a shell expects it, and nothing is left
//
// A story without --cluster embedded is told with three real brokers.
func TestE2EHands(t *testing.T) {
	files, err := filepath.Glob("testdata/hands/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no stories: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &person{t: t, w: 120, h: 40, knows: map[string]string{}}
			begun := time.Now()
			for i, line := range strings.Split(string(text), "\n") {
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				p.at = fmt.Sprintf("%s:%d: %s", file, i+1, line)
				p.do(line)
			}
			t.Logf("%.1f s", time.Since(begun).Seconds())
		})
	}
}

// person is somebody at a terminal.
type person struct {
	t     *testing.T
	w, h  int
	env   []string
	s     *terminal
	begun time.Time
	pid   int
	knows map[string]string
	at    string // the line that is being done
}

func (p *person) do(line string) {
	p.t.Helper()
	for name, value := range p.knows {
		line = strings.ReplaceAll(line, "$"+name, value)
	}
	verb, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch verb {
	case "long":
		long(p.t)
	case "terminal":
		p.w, p.h = p.size(rest)
	case "env":
		p.env = append(p.env, rest)
	case "kassa":
		p.open(strings.TrimSpace(binary + " " + rest))
		p.pid = p.s.kassa()
	case "shell":
		p.open("bash --norc -i")
	case "see":
		p.until(true, rest)
	case "gone":
		p.until(false, rest)
	case "told":
		hint, key, ok := strings.Cut(rest, " => ")
		if !ok {
			p.t.Fatal(p.at)
		}
		p.until(true, hint)
		p.s.press(key)
	case "press":
		for _, key := range strings.Fields(rest) {
			p.s.press(key)
		}
	case "type":
		if strings.HasPrefix(rest, "kassa ") { // in a shell
			rest = binary + strings.TrimPrefix(rest, "kassa")
		}
		p.s.tmux("send-keys", "-t", "t", "-l", rest)
	case "paste":
		text, err := strconv.Unquote(`"` + rest + `"`)
		if err != nil {
			p.t.Fatalf("%s: %v", p.at, err)
		}
		p.s.tmux("set-buffer", "-b", "kassa", text)
		p.s.tmux("paste-buffer", "-p", "-r", "-b", "kassa", "-t", "t")
	case "broker":
		n, err := strconv.Atoi(rest)
		if err != nil {
			p.t.Fatal(p.at)
		}
		p.s.press("5", "g")
		for range n - 1 {
			p.s.press("j")
		}
		p.until(true, "▶ "+rest)
	case "let":
		name, expr, _ := strings.Cut(rest, " ")
		look := regexp.MustCompile(strings.Trim(expr, "/ "))
		var found []string
		p.s.until(p.at, func() bool { found = look.FindStringSubmatch(p.s.screen()); return len(found) > 1 })
		p.knows[name] = found[1]
	case "resize":
		w, h := p.size(rest)
		p.s.tmux("resize-window", "-t", "t", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h))
	case "jvms":
		p.s.until(p.at, func() bool { return strconv.Itoa(len(p.s.brokers())) == rest })
	case "within":
		limit, err := time.ParseDuration(rest)
		if err != nil {
			p.t.Fatal(p.at)
		}
		took := time.Since(p.begun)
		p.t.Logf("%s: %.1f s", rest, took.Seconds())
		if took > limit {
			p.t.Errorf("%s: it took %s", p.at, took)
		}
	case "hang":
		_ = exec.Command("tmux", "-S", p.s.socket, "kill-server").Run()
		p.s.until("kassa has ended", func() bool { return syscall.Kill(p.pid, 0) != nil })
		p.s.nothingLeft()
	case "restored":
		p.s.restored()
		p.s.nothingLeft()
	default:
		p.t.Fatalf("%s: nobody knows how to %q", p.at, verb)
	}
}

func (p *person) open(command string) {
	p.begun = time.Now()
	p.s = newTerminal(p.t, p.w, p.h, command, p.env...)
}

func (p *person) size(text string) (w, h int) {
	if _, err := fmt.Sscanf(text, "%dx%d", &w, &h); err != nil {
		p.t.Fatalf("%s: %v", p.at, err)
	}
	return w, h
}

// until waits until the screen shows everything in a list, or nothing of it.
func (p *person) until(shown bool, list string) {
	p.t.Helper()
	var want []*regexp.Regexp
	for _, text := range strings.Split(list, " | ") {
		text = strings.TrimSpace(text)
		if len(text) > 2 && text[0] == '/' && text[len(text)-1] == '/' {
			want = append(want, regexp.MustCompile(text[1:len(text)-1]))
		} else {
			want = append(want, regexp.MustCompile(regexp.QuoteMeta(text)))
		}
	}
	p.s.until(p.at, func() bool {
		screen := p.s.screen()
		for _, w := range want {
			if w.MatchString(screen) != shown {
				return false
			}
		}
		return true
	})
}
