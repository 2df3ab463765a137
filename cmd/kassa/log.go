package main

import (
	"kassa/kafkaops/tail"
	"kassa/tui"
)

// screenLog implements tui.Log.
type screenLog struct{ tail.Log }

// Open implements tui.Log.
func (l screenLog) Open(topic string, from tail.From) (tui.Tail, error) {
	t, err := l.Log.Open(topic, from)
	if err != nil {
		return nil, err
	}
	return t, nil
}

var _ tui.Log = screenLog{}
