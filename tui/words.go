package tui

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
	"kassa/services"
	"kassa/services/load"
)

// word is something that can be said on the command line. To add one is a line in words; where a key does the same, the word is in the key's entry of
// bindings too.
type word struct {
	name string
	args string // what may stand behind it, as the help shows it; empty for nothing
	does string // in a few words; empty: what the help says of its key
	// offer lists what the next argument may be, after those before it. Nil: that cannot be listed.
	offer func(m *Model, before []string) []candidate
	// do does it. What it cannot do, or not understand, is an error in one sentence. rest may be empty. Nil: it takes no argument, and does what its key does.
	do func(m *Model, rest string) (tea.Cmd, error)
}

// words is all there is to say, sorted: what takes an argument or has no key, and whatever else has a key.
func words(keys []action) []word {
	list := []word{
		faultWord("kill", "kill −9", kafkaops.Kill, canKill),
		faultWord("stop", "stop in order", kafkaops.Stop, canStop, stopService),
		faultWord("pause", "pause: a tail, or a broker", kafkaops.Pause, canStop),
		faultWord("resume", "resume a paused broker", kafkaops.Resume, func(n watch.Node) bool { return n.Process == kafkaops.ProcessPaused }),
		faultWord("start", "start again", kafkaops.Start, canStart, startService),
		faultWord("restart", "stop and start a broker", kafkaops.Restart, canStop),
		faultWord("cut", "cut a broker off its network", kafkaops.Cut, alive),
		faultWord("reconnect", "give a broker its network back", kafkaops.Reconnect, func(n watch.Node) bool { return n.Process == kafkaops.ProcessCut }),
		{name: "drill", args: "NAME", does: "faults by a script, with a verdict", offer: offerDrills, do: drillWord},
		{name: "clusters", args: "[NAME]", does: "where the brokers come from, and others", offer: offerClusters, do: clustersWord},
		{name: "elect", do: wholeCluster(kafkaops.Elect)},
		{name: "rolling", do: wholeCluster(kafkaops.Rolling)},
		{name: "controller", do: plain((*Model).toController)},
		{name: "brokers", does: "go to the brokers", do: plain((*Model).pointToBrokers)},
		{name: "again", does: "the last fault again"},

		{name: "crash", args: "SERVICE", does: "kill −9 of a service", offer: offerServices, do: crashWord},
		{name: "scale", args: "SERVICE N", does: "instances of a service, 1 to 6", offer: offerScale, do: scaleWord},
		{name: "delivery", args: "[NAME]", offer: offerDeliveries, do: deliveryWord},

		{name: "load", args: "[on|off|RATE|closed N]", does: "orders a second, or on and off; customers who wait", offer: offerLoad, do: loadWord},
		{name: "ramp", args: "[RATE [TIME]]", does: "the load, evenly, to orders a second", offer: offerRamp, do: rampWord},
		{name: "burst", args: "[N]", does: "N orders at once", do: burstWord},
		{name: "user", args: "[NAME]", does: "who checks out", do: func(m *Model, rest string) (tea.Cmd, error) {
			if rest == "" {
				return m.renameUser(), nil
			}
			if len([]rune(rest)) > fieldLimit {
				return nil, fmt.Errorf("a user has at most %d characters", fieldLimit)
			}
			m.setUser(rest)
			return nil, nil
		}},
		{name: "tour", does: "eight steps through a failover, or their end", do: plain((*Model).toggleTour)},
		{name: "step", args: "[on|back]", does: "in the tour: on or back", offer: fixed("on", "back"), do: stepWord},

		{name: "more", does: "more of the load, product, service"},
		{name: "less", does: "less of it"},

		{name: "filter", args: "[TEXT]", does: "show what holds a text", do: filterWord},
		{name: "follow", args: "[CHECKOUT]", does: "one checkout through the shop; in a tail without an id: its end", do: followWord},
		{name: "open", does: "details of the selected row"},
		{name: "search", args: "[TEXT]", does: "mark what holds a text in all tails", do: searchWord},
		{name: "export", args: "[FILE]", does: "what the pane shows, a line of JSON a row", do: exportWord},
		{name: "topic", args: "[NAME [FROM]]", does: "open any topic, from latest, earliest, an offset or a time", offer: offerTopics, do: topicWord},
		{name: "seek", args: "FROM", does: "in a tail: from latest, earliest, an offset or a time", offer: offerPlaces, do: seekWord},
		{name: "view", args: "[NAME]", does: "partitions, groups, quorum or topics", offer: fixed(viewNames[:]...), do: viewWord},
		{name: "theme", args: "NAME", does: "the colours", offer: offered(Themes()), do: themeWord},
		{name: "layout", args: "[NAME]", offer: offered(Layouts()), do: layoutWord},
		{name: "hide", args: "[PANE]", does: "hide a pane, or show it again", offer: offerPanes, do: hideWord},
		{name: "pane", args: "NAME", does: "go to a pane", offer: offerPanes, do: paneWord},
	}
	for _, a := range keys {
		i := slices.IndexFunc(list, func(w word) bool { return w.name == a.word })
		switch {
		case a.word == "":
		case i < 0:
			list = append(list, word{name: a.word, does: a.Help().Desc})
		case list[i].does == "":
			list[i].does = a.Help().Desc
		}
	}
	slices.SortFunc(list, func(a, b word) int { return strings.Compare(a.name, b.name) })
	return list
}

// note is a word's arguments and what it does.
func (w word) note() string {
	if w.args == "" {
		return w.does
	}
	return w.args + "  " + w.does
}

// colon is a word as it is typed, with its arguments; empty for none.
func (m *Model) colon(name string) string {
	for _, w := range m.words {
		if w.name == name && name != "" {
			return strings.TrimSpace(":" + w.name + " " + w.args)
		}
	}
	return ""
}

// wordsAlone are the lines of the help about words that no key does.
func (m *Model) wordsAlone() []string {
	s := m.styles
	lines := []string{s.Strong.Render("Words without a key")}
	for _, w := range m.words {
		if !slices.ContainsFunc(m.keys, func(a action) bool { return a.word == w.name }) {
			lines = append(lines, "  "+s.Key.Render(fit(m.colon(w.name), 22))+" "+w.does)
		}
	}
	return lines
}

// plain makes a word of something that takes no argument and cannot fail.
func plain(do func(*Model) tea.Cmd) func(*Model, string) (tea.Cmd, error) {
	return func(m *Model, rest string) (tea.Cmd, error) {
		switch {
		case rest != "":
			return nil, fmt.Errorf("nothing goes behind this word, and %q stands there", rest)
		case m.backend == nil || m.state == nil:
			return nil, errNoPicture
		}
		return do(m), nil
	}
}

// fixed offers the same at all times, for the first argument.
func fixed(names ...string) func(*Model, []string) []candidate {
	return func(_ *Model, before []string) (list []candidate) {
		for _, n := range names {
			if len(before) == 0 {
				list = append(list, candidate{text: n})
			}
		}
		return list
	}
}

// wholeNumber reads a whole number from least to most.
func wholeNumber(text, what string, least, most int) (int, error) {
	n, err := strconv.Atoi(strings.ReplaceAll(text, ",", ""))
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is a number from %s to %s, not %q", what, count(least), count(most), text)
	}
	return n, nil
}

var errNotReady = fmt.Errorf("the shop opens when the cluster is up")

func loadWord(m *Model, rest string) (tea.Cmd, error) {
	if m.backend == nil {
		return nil, errNotReady
	}
	p := &m.load.plan
	switch first, more, _ := strings.Cut(rest, " "); {
	case rest == "on", rest == "off":
		p.On, p.Over = rest == "on", 0
	case first == "closed":
		return closedWord(m, strings.Fields(more))
	default:
		rate, err := wholeNumber(strings.TrimSuffix(rest, "/s"), "the load, in orders a second,", 1, load.MaxRate)
		if err != nil {
			return nil, err
		}
		p.On, p.Mode, p.Rate, p.Over = true, load.Open, rate, 0
	}
	return m.applyLoad(), nil
}

// closedWord has customers come who wait for an answer and think before they come again: how many, and how long they think. What is not said stays as it was.
func closedWord(m *Model, args []string) (tea.Cmd, error) {
	next := m.load.plan
	next.On, next.Mode, next.Over = true, load.Closed, 0
	var err error
	switch len(args) {
	case 2:
		if next.Think, err = duration(args[1], "the time that customers think", 0, load.MaxThink); err != nil {
			return nil, err
		}
		fallthrough
	case 1:
		if next.Customers, err = wholeNumber(args[0], "how many customers come", 1, load.MaxCustomers); err != nil {
			return nil, err
		}
	case 0:
	default:
		return nil, fmt.Errorf("load closed CUSTOMERS THINK, such as load closed 50 2s, not %q", strings.Join(args, " "))
	}
	m.load.plan = next
	return m.applyLoad(), nil
}

// rampWord takes the load to a rate over some time; without them to what the load options say.
func rampWord(m *Model, rest string) (tea.Cmd, error) {
	if m.backend == nil {
		return nil, errNotReady
	}
	target, over := m.load.target, m.load.over
	var err error
	switch args := strings.Fields(rest); len(args) {
	case 2:
		if over, err = duration(args[1], "the time of a ramp", time.Second, load.MaxRamp); err != nil {
			return nil, err
		}
		fallthrough
	case 1:
		if target, err = wholeNumber(strings.TrimSuffix(args[0], "/s"), "the load, in orders a second,", 1, load.MaxRate); err != nil {
			return nil, err
		}
	case 0:
	default:
		return nil, fmt.Errorf("ramp RATE TIME, such as ramp 500 30s, not %q", rest)
	}
	m.load.target, m.load.over = target, over
	return m.ramp(), nil
}

// duration reads a time from least to most, as 30s or 2m.
func duration(text, what string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%s is from %s to %s, such as 2s or 1m, not %q", what, age(least), age(most), text)
	}
	return d, nil
}

func offerLoad(_ *Model, before []string) []candidate {
	switch {
	case len(before) == 0:
		return append(fixed("on", "off", "50", "200", "1000")(nil, nil), candidate{"closed", "customers who wait for an answer: closed N THINK"})
	case before[0] != "closed":
		return nil
	case len(before) == 1:
		return fixed("20", "100", "500")(nil, nil)
	case len(before) == 2:
		return fixed("0s", "1s", "5s")(nil, nil)
	}
	return nil
}

func offerRamp(_ *Model, before []string) []candidate {
	switch len(before) {
	case 0:
		return fixed("200", "500", "2000")(nil, nil)
	case 1:
		return fixed("10s", "30s", "2m")(nil, nil)
	}
	return nil
}

func burstWord(m *Model, rest string) (tea.Cmd, error) {
	if m.backend == nil {
		return nil, errNotReady
	}
	n, err := wholeNumber(rest, "a burst", 1, load.MaxBurst)
	if err != nil {
		return nil, err
	}
	if m.drilling() {
		return nil, errors.New(drillsLoad)
	}
	m.backend.Load.Burst(n)
	m.say(false, plural(n, "order")+" at once")
	return nil, nil
}

func offerDeliveries(m *Model, before []string) []candidate {
	return fixed(services.ExactlyOnce.String(), services.AtLeastOnce.String())(m, before)
}

func deliveryWord(m *Model, rest string) (tea.Cmd, error) {
	switch {
	case m.backend == nil:
		return nil, errNotReady
	case m.backend.Staff == nil || m.backend.DeliveryFixed:
		return nil, fmt.Errorf("the delivery of these services cannot be changed from here")
	}
	d, err := services.ParseDelivery(rest)
	if err != nil {
		return nil, err
	}
	if d == m.backend.Staff.Delivery() {
		return nil, fmt.Errorf("the delivery is %s already", d)
	}
	return m.askDelivery(), nil
}

func stepWord(m *Model, rest string) (tea.Cmd, error) {
	switch {
	case !m.tour.open:
		return nil, fmt.Errorf("no tour is under way: tour begins it")
	case rest == "on":
		return m.tourNext(), nil
	case rest == "back":
		return m.tourBack(), nil
	}
	return nil, fmt.Errorf("step on or step back, not %q", rest)
}

func filterWord(m *Model, rest string) (tea.Cmd, error) {
	if m.focus == panePartitions && showing(viewPartitions, viewTopics)(m) {
		m.parts.text, m.parts.exact = rest, false
		m.refreshParts()
		return nil, nil
	}
	t := m.tail()
	if t == nil {
		return nil, fmt.Errorf("filter works in %s", inTail.words())
	}
	t.filter = rest
	return nil, nil
}

func viewWord(m *Model, rest string) (tea.Cmd, error) {
	at := slices.Index(viewNames[:], rest)
	if at < 0 && rest != "" {
		return nil, fmt.Errorf("the views are %s, not %q", strings.Join(viewNames[:], ", "), rest)
	}
	m.focusOn(panePartitions)
	m.view = view(max(at, 0))
	return nil, nil
}

func offerPanes(_ *Model, before []string) (list []candidate) {
	for i, name := range paneNames() {
		if len(before) == 0 {
			list = append(list, candidate{name, "key " + paneID(i+1).key()})
		}
	}
	return list
}

func paneWord(m *Model, rest string) (tea.Cmd, error) {
	p, err := paneNamed(rest)
	if err == nil {
		m.focusOn(p)
	}
	return nil, err
}

// paneNamed is a pane by its name or its key.
func paneNamed(text string) (paneID, error) {
	if i := slices.Index(paneNames(), text); i >= 0 {
		return paneID(i + 1), nil
	}
	if p := paneOf(text); p != 0 {
		return p, nil
	}
	return 0, fmt.Errorf("a pane is %s, not %q", listed(paneNames()), text)
}

func hideWord(m *Model, rest string) (tea.Cmd, error) {
	p, err := paneNamed(rest)
	if err != nil {
		return nil, err
	}
	return m.hide(p)
}

func themeWord(m *Model, rest string) (tea.Cmd, error) {
	t, err := ParseTheme(rest)
	if err != nil {
		return nil, err
	}
	l := m.look
	l.Theme = t
	return m.setLook(l), nil
}

func layoutWord(m *Model, rest string) (tea.Cmd, error) {
	kind, err := ParseLayout(rest)
	if err != nil {
		return nil, err
	}
	l := m.look
	l.Layout = kind
	m.zoomed, m.cameFrom = false, 0
	return m.setLook(l), nil
}

// offered makes candidates of what there is to choose from.
func offered[T ~string](list []T) func(*Model, []string) []candidate {
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = string(v)
	}
	return fixed(names...)
}
