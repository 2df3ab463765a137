package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kassa/kafkaops/watch"
	"kassa/services"
)

// The services pane: each of the four, what it does and what is wrong with it. What may be done to them is in staff.go.

// readStaff brings the rows up to date: payment, and those that the shop tells of.
func (m *Model) readStaff() {
	f := m.figures
	pay := services.Stats{Name: payments, Status: services.Running, Handled: f.Accepted, Lag: -1, Instances: 1, Live: 1, P50: f.AckP50, P99: f.AckP99}
	rows := make([]services.Stats, 0, 1+len(f.Services))
	rows = append(rows, pay)
	for _, svc := range f.Services {
		if svc.Name == payments {
			rows[0] = svc
			continue
		}
		rows = append(rows, svc)
	}
	if c := m.control(payments); c != nil {
		rows[0] = c.Stats()
	}
	m.staff.rows = rows
	m.followActs()
}

// group is what the brokers know of a service's consumer group; false for payment, and until they were asked.
func (m *Model) group(service string) (watch.Group, bool) {
	if m.state != nil {
		for _, g := range m.state.Groups {
			if g.Name == service {
				return g, true
			}
		}
	}
	return watch.Group{}, false
}

// lagOf is how many records wait for a service, -1 if unknown: by its own last fetch while all of it runs, else by what the brokers hold.
func (m *Model) lagOf(svc services.Stats) int64 {
	if svc.Status == services.Running && svc.Live == svc.Instances && svc.Lag >= 0 {
		return svc.Lag
	}
	if g, ok := m.group(svc.Name); ok && g.TotalLag() >= 0 {
		return g.TotalLag()
	}
	if svc.Live < svc.Instances {
		return -1 // it cannot know what has come since
	}
	return svc.Lag
}

// stateWord is what a service does in a word, and how well that is.
func (m *Model) stateWord(svc services.Stats) (string, ink) {
	s := m.styles
	g, _ := m.group(svc.Name)
	switch {
	case svc.Status == services.Stopped && svc.Live > 0:
		return "stopping", s.Warn
	case svc.Status == services.Stopped:
		return "STOPPED", s.Bad
	case svc.Status == services.Restarting && svc.Live == 0:
		return "CRASHED", s.Bad
	case svc.Status == services.Restarting:
		return fmt.Sprintf("%d/%d alive", svc.Live, svc.Instances), s.Bad
	case strings.HasSuffix(g.State, "Rebalance"):
		return "rebalancing", s.Warn
	case svc.Status != services.Running:
		return svc.Status.String(), s.Warn
	}
	return svc.Status.String(), s.Good
}

// reason says in words what is wrong with a service, empty if nothing is.
func (m *Model) reason(svc services.Stats) string {
	switch {
	case svc.Status == services.Stopped && svc.Live > 0:
		return "finishes what it began"
	case svc.Status == services.Stopped:
		text := "stopped: S starts it"
		if svc.Name == payments {
			return text + "; no order is taken meanwhile"
		}
		if lag := m.lagOf(svc); lag > 0 {
			text += "; it is " + plural(int(lag), "record") + " behind"
		}
		return text
	case svc.Status == services.Restarting:
		return svc.Err + m.startsAgain(svc.Name)
	case svc.Status != services.Running && svc.Err != "":
		return svc.Err
	case svc.DeadLetters > 0:
		return "dead letters: " + plural(int(svc.DeadLetters), "record") + " could not be handled"
	}
	return ""
}

// startsAgain says when the next instance of a service that is down is started.
func (m *Model) startsAgain(service string) string {
	if m.backend.Staff == nil {
		return ""
	}
	for _, i := range m.backend.Staff.Instances(service) {
		if left := i.Again.Sub(m.now()); !i.Again.IsZero() && left > 0 {
			return "; starts again in " + age(left)
		}
	}
	return "; starts again"
}

// serviceColumn is a column of the table.
type serviceColumn struct {
	head string
	w    int
	rank int // lower stays longer when room is short
	cell func(*Model, services.Stats) (string, ink)
}

func serviceColumns() []serviceColumn {
	figure := func(n func(services.Stats) int64) func(*Model, services.Stats) (string, ink) {
		return func(m *Model, svc services.Stats) (string, ink) { return figure(n(svc)), m.styles.Text }
	}
	bad := func(n func(services.Stats) int64) func(*Model, services.Stats) (string, ink) {
		return func(m *Model, svc services.Stats) (string, ink) {
			if n(svc) > 0 {
				return count(n(svc)), m.styles.Warn
			}
			return count(n(svc)), m.styles.Dim
		}
	}
	took := func(p99 bool) func(*Model, services.Stats) (string, ink) {
		return func(m *Model, svc services.Stats) (string, ink) {
			d := svc.P50
			if p99 {
				d = svc.P99
			}
			if d == 0 {
				return "–", m.styles.Dim
			}
			return age(d), m.styles.Text
		}
	}
	return []serviceColumn{
		{"live", 6, 1, func(m *Model, svc services.Stats) (string, ink) {
			ink := m.styles.Text
			if svc.Live < svc.Instances {
				ink = m.styles.Warn
			}
			return fmt.Sprintf("%d/%d", svc.Live, svc.Instances), ink
		}},
		{"parts", 6, 7, func(m *Model, svc services.Stats) (string, ink) {
			if svc.Name == payments {
				return "–", m.styles.Dim
			}
			return fmt.Sprint(svc.Partitions), m.styles.Text
		}},
		{"members", 8, 9, func(m *Model, svc services.Stats) (string, ink) {
			if g, ok := m.group(svc.Name); ok {
				return memberCount(g), m.styles.Text
			}
			return "–", m.styles.Dim
		}},
		{"rebal", 6, 10, func(m *Model, svc services.Stats) (string, ink) {
			if g, ok := m.group(svc.Name); ok {
				return count(g.Rebalances), m.styles.Text
			}
			return "–", m.styles.Dim
		}},
		{"rate", 13, 2, func(m *Model, svc services.Stats) (string, ink) {
			v := m.of(svc.Name)
			return v.spark.String() + right(perSecond(v.rate.value(m.now())), 8), m.styles.Good
		}},
		{"lag", 8, 3, func(m *Model, svc services.Stats) (string, ink) {
			n := m.lagOf(svc)
			if n < 0 {
				return "–", m.styles.Dim
			}
			return figure(func(services.Stats) int64 { return n })(m, svc)
		}},
		{"p50", 8, 8, took(false)},
		{"p99", 8, 4, took(true)},
		{"restarts", 9, 5, bad(func(svc services.Stats) int64 { return svc.Restarts })},
		{"dead", 6, 6, bad(func(svc services.Stats) int64 { return svc.DeadLetters })},
	}
}

const (
	serviceName  = 12
	serviceState = 12
)

// fitting is the columns that have room in w cells.
func fitting(w int) []serviceColumn {
	cols := serviceColumns()
	for {
		need, worst := serviceName+serviceState, 0
		for i, c := range cols {
			need += c.w
			if c.rank > cols[worst].rank {
				worst = i
			}
		}
		if need <= w || len(cols) == 0 {
			return cols
		}
		cols = append(cols[:worst], cols[worst+1:]...)
	}
}

func (m *Model) renderServices(w, h int, focused bool) []string {
	s := m.styles
	if m.backend == nil {
		return []string{s.Dim.Render(" the shop opens when the cluster is up")}
	}
	cols := fitting(w)
	head := fit("  service", serviceName) + fit("state", serviceState)
	for _, c := range cols {
		head += right(c.head, c.w)
	}
	lines := []string{s.Dim.Render(fit(head, w))}
	for i, svc := range m.staff.rows {
		lines = append(lines, m.serviceRow(svc, cols, w, focused && i == m.staff.at))
		if why := m.reason(svc); why != "" && h > len(m.staff.rows)+1 {
			lines = append(lines, s.Warn.Render(fit("    "+safe(why), w)))
		}
	}
	if room := h - len(lines); room > 1 {
		text := " delivery: " + m.delivery()
		if !m.backend.DeliveryFixed {
			text += "  (d changes it)"
		}
		lines = append(lines, "", s.Dim.Render(fit(text, w)))
	}
	return lines[:min(len(lines), max(h, 0))]
}

func (m *Model) serviceRow(svc services.Stats, cols []serviceColumn, w int, selected bool) string {
	s := m.styles
	mark := "  "
	if selected {
		mark = "▶ "
	}
	word, style := m.stateWord(svc)
	line := s.Strong.Render(fit(mark+svc.Name, serviceName)) + style.Render(fit(word, serviceState))
	for _, c := range cols {
		text, style := c.cell(m, svc)
		line += style.Render(right(text, c.w))
	}
	if selected {
		return s.Select.Render(fit(ansi.Strip(line), w))
	}
	return line
}

// selectedService is the row that the cursor is on.
func (m *Model) selectedService() (services.Stats, bool) {
	if len(m.staff.rows) == 0 {
		return services.Stats{}, false
	}
	return m.staff.rows[max(0, min(m.staff.at, len(m.staff.rows)-1))], true
}

// inspectService opens what each instance of the selected service does. It is drawn anew with the screen.
func (m *Model) inspectService() tea.Cmd {
	svc, ok := m.selectedService()
	if !ok {
		return nil
	}
	name := svc.Name
	m.overlay = &overlay{title: name, live: func() []string { return m.serviceLines(name) }}
	return nil
}

func (m *Model) serviceLines(name string) []string {
	s := m.styles
	var svc services.Stats
	for _, row := range m.staff.rows {
		if row.Name == name {
			svc = row
		}
	}
	field := func(name, value string) string { return s.Dim.Render(fit(name, 13)) + value }
	word, style := m.stateWord(svc)
	lines := []string{field("state", style.Render(word)+s.Dim.Render(" for ")+age(m.now().Sub(svc.Since)))}
	if svc.Since.IsZero() {
		lines = []string{field("state", style.Render(word))}
	}
	if why := m.reason(svc); why != "" {
		lines = append(lines, field("why", s.Warn.Render(safe(why))))
	}
	lines = append(lines, field("handled", count(svc.Handled)+s.Dim.Render("  written ")+count(svc.Produced)+s.Dim.Render("  dead-lettered ")+count(svc.DeadLetters)))
	lines = append(lines, field("again", count(svc.Retries)+s.Dim.Render(" tries  ")+count(svc.Rebuilds)+s.Dim.Render(" clients  ")+count(svc.Restarts)+s.Dim.Render(" restarts")))
	if svc.P50 > 0 {
		what := "  from an event's timestamp to the commit of what follows"
		if name == payments {
			what = "  from a request to Kafka's acknowledgement"
		}
		lines = append(lines, field("took", s.Dim.Render("p50 ")+age(svc.P50)+s.Dim.Render(" p99 ")+age(svc.P99)+s.Dim.Render(what)))
	}
	if g, ok := m.group(name); ok {
		text := safe(g.State) + s.Dim.Render(" with ") + memberCount(g) + s.Dim.Render(" members, seen to rebalance ") + count(g.Rebalances) + s.Dim.Render(" times")
		if old := m.groupAge(g, 11); old != "" {
			text += s.Warn.Render("  " + old)
		}
		lines = append(lines, field("its group", text))
	}
	if m.backend.Staff == nil {
		return lines
	}
	list := m.backend.Staff.Instances(name)
	if len(list) == 0 {
		return lines
	}
	lines = append(lines, "", s.Dim.Render(fit("instance", 9)+fit("state", 12)+right("handled", 9)+right("restarts", 10)+"  partitions"))
	for _, i := range list {
		lines = append(lines, m.instanceLine(i))
		if why := i.Stats.Err; why != "" && i.Stats.Status != services.Running {
			lines = append(lines, s.Warn.Render(fit("", 9)+safe(why)))
		}
	}
	return append(lines, "", s.Dim.Render("members are "+safe(list[0].Name)+" and on"))
}

func (m *Model) instanceLine(i services.Instance) string {
	s := m.styles
	word, style := i.Stats.Status.String(), s.Good
	parts := ownsText(i.Owns)
	switch {
	case !i.Again.IsZero():
		word, style, parts = "down", s.Bad, "starts again in "+age(i.Again.Sub(m.now()))
	case i.Stats.Status == services.Joining && len(i.Owns) == 0:
		style, parts = s.Warn, "none yet, or more instances than partitions"
	case i.Stats.Status != services.Running:
		style = s.Warn
	}
	return fit(fmt.Sprint(i.Slot), 9) + style.Render(fit(word, 12)) + right(count(i.Stats.Handled), 9) + right(count(i.Stats.Restarts), 10) + "  " + parts
}

// ownsText lists partitions by topic: payment 0 1 2.
func ownsText(owns []services.Partition) string {
	var parts []string
	topic := ""
	for _, p := range owns {
		if p.Topic != topic {
			topic = p.Topic
			parts = append(parts, strings.TrimSuffix(safe(topic), "-successful"))
		}
		parts = append(parts, fmt.Sprint(p.ID))
	}
	return strings.Join(parts, " ")
}
