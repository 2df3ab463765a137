package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kassa/kafkaops"
)

func TestPorts(t *testing.T) {
	if got, err := parsePorts("9094, 9095,9096"); err != nil || !slices.Equal(got, []int{9094, 9095, 9096}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "9094", "9094,9095", "9094,9095,9095", "9094,9095,x", "0,1,2", "1,2,70000", "1,2,3,4", "-1,2,3"} {
		if got, err := parsePorts(bad); err == nil || !strings.Contains(err.Error(), "--ports takes three") {
			t.Errorf("%q gives %v, %v", bad, got, err)
		}
	}
}

func TestBrokers(t *testing.T) {
	if got, err := parseBrokers("127.0.0.1:9094, kafka:9092,[::1]:9096"); err != nil || len(got) != 3 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "kafka", ":9092", "kafka:", "a:1,,b:2", "http://a:1"} {
		if got, err := parseBrokers(bad); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

// What a person is told is one line, and the sentence that was written for people when there is one.
func TestOneLine(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&kafkaops.UserError{Message: "install Java 17", Err: errors.New("exec: not found")}, "install Java 17"},
		{fmt.Errorf("starting: %w", &kafkaops.UserError{Message: "install Java 17"}), "install Java 17"},
		{errors.New("first\n\tsecond\x1b[31m red\x1b[m"), "first second red"},
		{usageError{errors.New("unknown flag: --x")}, "unknown flag: --x (kassa --help lists what there is)"},
	} {
		if got := oneLine(c.err); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
