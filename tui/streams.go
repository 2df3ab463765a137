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
		session int // see clusters
	}
	stateMsg struct{ state *watch.State }
	batchMsg tail.Batch
	tickMsg  time.Time
)

// result is what a request came to. It knows itself where it belongs.
type result interface{ apply(m *Model) tea.Cmd }

// tickEvery is how often figures and ages are brought up to date.
const tickEvery = 250 * time.Millisecond

func tick() tea.Cmd { return tea.Tick(tickEvery, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// start brings the cluster up. Progress that nobody has looked at yet is replaced by newer progress.
func (m *Model) start() tea.Cmd {
	begin, session := m.starter(), m.clusters.session
	return func() tea.Msg {
		b, err := begin(m.ctx, func(p kafkaops.Progress) {
			select {
			case <-m.progress:
			default:
			}
			select {
			case m.progress <- p:
			default:
			}
		})
		return readyMsg{backend: b, err: err, session: session}
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

// FramesPerSecond is how often what has changed is written at most: a key waits for no more than a fiftieth of a second. It costs little, because most of the time nothing
// has changed: at rest 0.7 % of a core against 0.5 % at 20 a second (BenchmarkRest).
const FramesPerSecond = 50
