package scenario

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed builtin/*.yaml
var files embed.FS

// names are the built-in scenarios, in the order in which they are listed.
func names() []string {
	return []string{
		"leader-kill", "controller-kill", "follower-kill", "graceful-stop", "pause-leader", "rolling-restart", "two-down", "service-crash",
		"poison", "topic-deleted", "oversize", "network-cut", "acks-one", "chaos",
	}
}

// Builtin is every scenario that is built in, in the order in which they are to be listed.
func Builtin() []*Scenario {
	var all []*Scenario
	for _, name := range names() {
		s, err := Named(name)
		if err != nil {
			panic(err) // the files are ours, and a test reads every one of them
		}
		all = append(all, s)
	}
	return all
}

// Source is the file of a built-in scenario; nil if there is none of this name.
func Source(name string) []byte {
	text, err := files.ReadFile("builtin/" + name + ".yaml")
	if err != nil {
		return nil
	}
	return text
}

// Named is the built-in scenario of this name.
func Named(name string) (*Scenario, error) {
	text := Source(name)
	if text == nil {
		return nil, fmt.Errorf("there is no drill %q: there are %s, or give a file", brief(name), strings.Join(names(), ", "))
	}
	s, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the built-in drill %s: %w", name, err)
	}
	return s, nil
}
