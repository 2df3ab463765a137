package tui

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops/tail"
	"kassa/kafkaops/watch"
)

// What the focused pane shows, or a list on top of it, as a file: a line of JSON for each of its rows. What the lines hold is in exportlines.go.

// exported is what goes into a file.
type exported struct {
	of    string // what of, for the default name and the sentence: "payment-successful"
	noun  string // of a line
	about string // what was left out on purpose, in words; may be empty
	lines []any
}

// toExport is what the focused pane shows, or what is on top of it. The lines share memory with the screen that is only read.
func (m *Model) toExport() (exported, error) {
	t := m.tail()
	switch {
	case m.canExportOnTop():
		return m.exportOnTop(), nil
	case t != nil:
		return t.toExport(), nil
	case m.focus == paneTimeline:
		return m.exportTimeline(), nil
	case m.focus == paneCheckout:
		return m.exportCart(), nil
	case m.focus == paneServices:
		return exportAll("services", "service", m.staff.rows, m.exportService), nil
	case m.focus == paneAnalytics:
		return m.exportSales(), nil
	case m.focus == paneCharts:
		return m.exportCharts(), nil
	case m.state == nil:
		return exported{}, errNoPicture
	case m.focus == paneBrokers:
		return exportAll("brokers", "broker", m.state.Nodes, exportNode), nil
	}
	return m.exportView(), nil
}

func exportAll[T any](of, noun string, list []T, line func(T) any) exported {
	e := exported{of: of, noun: noun}
	for _, v := range list {
		e.lines = append(e.lines, line(v))
	}
	return e
}

// exportedRecord is a record. Its key and value are in the field that can hold them whole.
type exportedRecord struct {
	Topic         string           `json:"topic"`
	Partition     int32            `json:"partition"`
	Offset        int64            `json:"offset"`
	Timestamp     time.Time        `json:"timestamp"`
	LeaderEpoch   int32            `json:"leaderEpoch"`
	Key           *string          `json:"key"` // null: there is none, or it is no text
	KeyBase64     []byte           `json:"keyBase64,omitempty"`
	Value         json.RawMessage  `json:"value"` // null: a tombstone, or it is no JSON
	ValueText     *string          `json:"valueText,omitempty"`
	ValueBase64   []byte           `json:"valueBase64,omitempty"`
	ValueBytes    int              `json:"valueBytes"`
	Truncated     bool             `json:"truncated,omitempty"` // the screen holds only its beginning
	Headers       []exportedHeader `json:"headers"`
	Transactional bool             `json:"transactional"`
	ProducerID    int64            `json:"producerId"`
}

type exportedHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
	Truncated   bool    `json:"truncated,omitempty"`
}

func (t *tailPane) toExport() exported {
	e := exported{of: t.topic, noun: "record"}
	if t.filter != "" {
		e.about = fmt.Sprintf("those that hold %q", t.filter)
	}
	for _, seq := range t.visible() {
		if r := t.shown().at(seq); r.mark == "" {
			e.lines = append(e.lines, exportRecord(r.record))
		}
	}
	return e
}

func exportRecord(r tail.Record) any {
	out := exportedRecord{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Time, LeaderEpoch: r.Epoch,
		ValueBytes: r.Size, Truncated: r.Size > len(r.Value), Transactional: r.Transactional, ProducerID: r.ProducerID, Headers: []exportedHeader{},
	}
	out.Key, out.KeyBase64 = textOr(r.Key)
	out.Value, out.ValueText, out.ValueBase64 = valueOr(r.Value)
	for _, h := range r.Headers {
		v := exportedHeader{Key: h.Key, Truncated: h.Size > len(h.Value)}
		v.Value, v.ValueBase64 = textOr(h.Value)
		out.Headers = append(out.Headers, v)
	}
	return out
}

// textOr is bytes as text, or as bytes if they are none; nothing for nil.
func textOr(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	text := string(b)
	return &text, nil
}

type exportedAct struct {
	Time       time.Time       `json:"time"`
	What       string          `json:"what"`
	Err        string          `json:"error,omitempty"`
	WriteGapMS *float64        `json:"writeGapMs,omitempty"`
	GapAtLeast bool            `json:"writeGapAtLeast,omitempty"` // it was not over when measuring ended, or is not yet
	Phases     []exportedPhase `json:"phases"`
}

type exportedPhase struct {
	What    string  `json:"what"`
	AfterMS float64 `json:"afterMs"`
}

func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (m *Model) exportTimeline() exported {
	return exportAll("timeline", "act", m.acts(), func(a act) any {
		out := exportedAct{Time: a.at, What: a.what, Err: a.err, Phases: []exportedPhase{}}
		if f := a.fault; f != nil && f.Probed && f.Gap.Worst > 0 {
			gap := inMS(f.Gap.Worst)
			out.WriteGapMS, out.GapAtLeast = &gap, f.AtLeast() || f.Gap.Open
		}
		for _, p := range a.followed() {
			out.Phases = append(out.Phases, exportedPhase{p.text, inMS(p.last)})
		}
		return out
	})
}

func exportNode(n watch.Node) any {
	return map[string]any{
		"id": n.ID, "address": n.Addr, "state": n.Health.String(), "since": n.Since, "seen": timeOr(n.Seen), "process": n.Process.String(), "pid": n.PID,
		"leads": n.Leads, "voter": n.Voter, "metadataLogEnd": n.LogEnd, "metadataLag": n.Lag, "error": n.Err,
	}
}

// timeOr is a time, nil for none.
func timeOr(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func (m *Model) exportView() exported {
	st, l := m.state, &m.parts
	switch m.view {
	case viewGroups:
		return exportAll("groups", "group", st.Groups, exportGroup)
	case viewQuorum:
		e := exportAll("quorum", "replica", st.Quorum.Voters, func(r watch.Replica) any { return m.exportReplica(r, true) })
		for _, r := range st.Quorum.Observers {
			e.lines = append(e.lines, m.exportReplica(r, false))
		}
		return e
	case viewTopics:
		e := exported{of: "topics", noun: "topic"}
		for _, t := range l.topics {
			e.lines = append(e.lines, map[string]any{"topic": t.name, "partitions": t.total, "underReplicated": t.under, "leaderless": t.leaderless, "belowMinISR": t.below, "moved": t.moved})
		}
		return e
	}
	e := exported{of: "partitions", noun: "partition"}
	if l.filtered() {
		e.about = "those that are shown"
	}
	for i := range l.len() {
		p := l.at(i)
		e.lines = append(e.lines, map[string]any{
			"topic": p.Topic, "partition": p.ID, "leader": p.Leader, "preferredLeader": p.Preferred(), "leaderEpoch": p.Epoch, "replicas": some(p.Replicas), "isr": some(p.ISR),
			"elr": some(p.ELR), "offline": some(p.Offline), "minISR": p.MinISR, "movedFrom": p.From, "moved": timeOr(p.Moved), "seen": timeOr(p.Seen),
		})
	}
	return e
}

// some is a list that is never null.
func some(list []int32) []int32 {
	if list == nil {
		return []int32{}
	}
	return list
}

func exportGroup(g watch.Group) any {
	members, lag := []any{}, []any{}
	for _, mb := range g.Members {
		members = append(members, map[string]any{"id": mb.ID, "clientId": mb.ClientID, "host": mb.Host, "assigned": mb.Assigned})
	}
	for _, l := range g.Lag {
		lag = append(lag, map[string]any{"topic": l.Topic, "partition": l.Partition, "committed": l.Committed, "end": l.End, "lag": l.Lag})
	}
	return map[string]any{
		"group": g.Name, "type": g.Type, "state": g.State, "protocol": g.Protocol, "coordinator": g.Coordinator, "members": members, "lag": lag, "totalLag": g.TotalLag(),
		"rebalances": g.Rebalances, "rebalanced": timeOr(g.Rebalanced), "seen": timeOr(g.Seen), "error": g.Err,
	}
}

func (m *Model) exportReplica(r watch.Replica, voter bool) any {
	return map[string]any{
		"id": r.ID, "voter": voter, "leader": r.ID == m.state.Quorum.Leader, "epoch": m.state.Quorum.Epoch, "logEnd": r.LogEnd, "lag": r.Lag,
		"lastFetch": timeOr(r.LastFetch), "lastCaughtUp": timeOr(r.LastCaughtUp), "seen": timeOr(m.state.Quorum.Seen),
	}
}

// ---- to a file

// exportMsg says how it went.
type exportMsg struct {
	what  exported
	file  string // as it was asked for
	bytes int64
	old   fs.FileInfo // what is there already, if that is why nothing was written
	err   error
}

// exportPane is exportWord for its key.
func exportPane(m *Model) tea.Cmd {
	cmd, err := exportWord(m, "")
	if err != nil {
		m.say(true, err.Error())
	}
	return cmd
}

func exportWord(m *Model, rest string) (tea.Cmd, error) {
	e, err := m.toExport()
	if err != nil {
		return nil, err
	}
	if len(e.lines) == 0 {
		return nil, fmt.Errorf("there is nothing to export: no %s is shown", e.noun)
	}
	if rest == "" {
		rest = fmt.Sprintf("kassa-%s-%s.ndjson", fileName(e.of), m.now().Format("20060102T150405"))
	}
	return m.export(e, rest, false), nil
}

// fileName keeps what is harmless in the name of a file.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, text)
}

// export writes away from the screen's goroutine.
func (m *Model) export(e exported, file string, overwrite bool) tea.Cmd {
	dir := m.cfg.ExportDir
	return func() tea.Msg {
		path, err := exportPath(dir, file)
		if err != nil {
			return exportMsg{what: e, file: file, err: err}
		}
		msg := exportMsg{what: e, file: file}
		if !overwrite {
			if msg.old, err = os.Lstat(path); err == nil {
				return msg
			}
			msg.old = nil
		}
		msg.bytes, msg.err = writeLines(path, e.lines, overwrite)
		if errors.Is(msg.err, fs.ErrExist) && !overwrite { // somebody was faster
			msg.old, _ = os.Lstat(path)
		}
		return msg
	}
}

// exportPath is where a file is that a person has named.
func exportPath(dir, file string) (string, error) {
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(file) {
		return file, nil
	}
	return filepath.Join(dir, file), nil
}

// writeLines writes a new file, or puts another one in the place of an old one that stays until the new one is whole.
func writeLines(path string, lines []any, overwrite bool) (size int64, err error) {
	f, err := newFile(path, overwrite)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err = enc.Encode(l); err != nil {
			break
		}
	}
	if err = errors.Join(err, w.Flush()); err == nil {
		if st, serr := f.Stat(); serr == nil {
			size = st.Size()
		}
	}
	if err = errors.Join(err, f.Close()); err == nil && overwrite {
		err = os.Rename(f.Name(), path)
	}
	return size, err
}

// newFile is a file that nobody had: the one of this name, or one beside it that whoever may read that one may read.
func newFile(path string, beside bool) (*os.File, error) {
	if !beside {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	if old, err := os.Stat(path); err == nil {
		_ = f.Chmod(old.Mode().Perm()) // some file systems know no such thing
	}
	return f, nil
}

// apply implements result.
func (msg exportMsg) apply(m *Model) tea.Cmd {
	e := msg.what
	switch {
	case msg.old != nil && msg.old.IsDir():
		m.say(true, msg.file+" is a directory: name a file")
	case msg.old != nil:
		price := fmt.Sprintf("%s is there already: %s bytes, written %s. What is in it is lost.", safe(msg.file), count(msg.old.Size()), msg.old.ModTime().Format("2006-01-02 15:04:05"))
		m.askOnce("overwrite "+safe(msg.file), price, func() tea.Cmd { return m.export(e, msg.file, true) })
	case msg.err != nil:
		m.say(true, "not exported: "+msg.err.Error())
	default:
		text := fmt.Sprintf("%s of %s", plural(len(e.lines), e.noun), e.of)
		if e.of == e.noun+"s" {
			text = plural(len(e.lines), e.noun)
		}
		if e.about != "" {
			text += ", " + e.about + ","
		}
		where := " where kassa was started"
		if filepath.IsAbs(msg.file) || strings.HasPrefix(msg.file, "~/") {
			where = ""
		}
		m.say(false, fmt.Sprintf("%s written to %s%s, %s bytes", text, msg.file, where, count(msg.bytes)))
		m.notice.until = m.now().Add(2 * noticeFor)
	}
	return nil
}
