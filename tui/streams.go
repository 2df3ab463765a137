package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops"
	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
)

// Two shapes of asynchrony only: a request is a command that ends with a message, a stream is a channel and one
// command that waits on it and is given again after each message.

type (
	bootMsg  kafkaops.Progress
	readyMsg struct {
		backend *Backend
		err     error
	}
	stateMsg struct{ state *watch.State }
	batchMsg tail.Batch
	tickMsg  time.Time
)

// tickEvery is how often figures and ages are brought up to date.
const tickEvery = 250 * time.Millisecond

func tick() tea.Cmd { return tea.Tick(tickEvery, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// start brings the cluster up. Progress that nobody has looked at yet is replaced by newer progress.
func (m *Model) start() tea.Cmd {
	return func() tea.Msg {
		b, err := m.cfg.Start(m.ctx, func(p kafkaops.Progress) {
			select {
			case <-m.progress:
			default:
			}
			select {
			case m.progress <- p:
			default:
			}
		})
		return readyMsg{backend: b, err: err}
	}
}

func (m *Model) waitBoot() tea.Cmd {
	return func() tea.Msg {
		select {
		case p := <-m.progress:
			return bootMsg(p)
		case <-m.ctx.Done():
			return nil
		}
	}
}

func (m *Model) waitState() tea.Cmd {
	states := m.backend.States
	return func() tea.Msg {
		select {
		case s, ok := <-states:
			if ok {
				return stateMsg{s}
			}
		case <-m.ctx.Done():
		}
		return nil
	}
}

func (m *Model) waitBatch() tea.Cmd {
	batches := m.backend.Batches
	return func() tea.Msg {
		select {
		case b, ok := <-batches:
			if ok {
				return batchMsg(b)
			}
		case <-m.ctx.Done():
		}
		return nil
	}
}
