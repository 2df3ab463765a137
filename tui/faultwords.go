package tui

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kassa/kafkaops"
	"kassa/kafkaops/watch"
	"kassa/services"
)

// What can be done to brokers and services, in words. Each is asked once with its price, as by its key.

// faultWord is a fault of one broker: by its number, as the controller, or as the leader of a partition; and what is done to a service by the same name.
func faultWord(name, does string, verb kafkaops.Verb, ok func(watch.Node) bool, service ...staffAct) word {
	args := "BROKER"
	if len(service) > 0 {
		args = "BROKER|SERVICE"
	}
	return word{
		name: name, args: args, does: does,
		offer: func(m *Model, before []string) []candidate {
			list := m.offerBrokers(before, ok)
			if len(service) > 0 && len(before) == 0 {
				list = append(list, offerServices(m, before)...)
			}
			return list
		},
		do: func(m *Model, rest string) (tea.Cmd, error) {
			args := strings.Fields(rest)
			if len(service) > 0 && len(args) == 1 {
				if svc, err := m.serviceNamed(args[0]); err == nil {
					return m.askToDoNow(service[0], svc)
				}
			}
			f, err := m.brokerNamed(name, args)
			if err != nil {
				return nil, err
			}
			f.Verb = verb
			if err := m.allowed(f, ok); err != nil {
				return nil, err
			}
			return m.askAbout(f), nil
		},
	}
}

// wholeCluster is what is done to all brokers.
func wholeCluster(v kafkaops.Verb) func(*Model, string) (tea.Cmd, error) {
	return plain(func(m *Model) tea.Cmd { return m.askAbout(kafkaops.Fault{Verb: v}) })
}

var errNoController = errors.New("nobody knows who leads the quorum")

// toController goes to the broker that leads the quorum.
func (m *Model) toController() tea.Cmd {
	if !m.state.Quorum.Known {
		m.say(true, errNoController.Error())
		return nil
	}
	m.focusOn(paneBrokers)
	return m.pointToController()
}

// brokerNamed is the broker that the arguments mean: a number, "controller", or "leader TOPIC/PARTITION". Its Verb is empty.
func (m *Model) brokerNamed(word string, args []string) (kafkaops.Fault, error) {
	var f kafkaops.Fault
	if m.backend == nil || m.state == nil {
		return f, errNoPicture
	}
	switch {
	case len(args) == 0:
		return f, fmt.Errorf("which broker? %[1]s %d, %[1]s controller, or %[1]s leader TOPIC/PARTITION", word, m.state.Nodes[0].ID)
	case args[0] == string(kafkaops.Controller) && len(args) == 1:
		f.Role = kafkaops.Controller
		resolved, err := m.state.Resolve(f)
		var refused *kafkaops.RefusedError
		if errors.As(err, &refused) {
			return f, fmt.Errorf("cannot %s the controller: %s", word, refused.Reason)
		}
		return resolved, err
	case args[0] == "leader":
		topic, id, ok := strings.Cut(strings.Join(args[1:], " "), "/")
		n, err := strconv.Atoi(id)
		if !ok || err != nil {
			return f, fmt.Errorf("leader of what? %s leader TOPIC/PARTITION, such as order-successful/0", word)
		}
		f.Role = kafkaops.LeaderOf(topic, int32(n))
		resolved, err := m.state.Resolve(f)
		var refused *kafkaops.RefusedError
		if errors.As(err, &refused) {
			return f, fmt.Errorf("cannot %s the leader of %s/%d: %s", word, topic, n, refused.Reason)
		}
		return resolved, err
	}
	n, err := strconv.Atoi(args[0])
	if _, known := m.state.Node(int32(n)); err != nil || !known || len(args) > 1 {
		return f, fmt.Errorf("there is no broker %q: they are %s, controller, and leader TOPIC/PARTITION", strings.Join(args, " "), m.brokerIDs())
	}
	f.Node = int32(n)
	return f, nil
}

func (m *Model) brokerIDs() string {
	var list []string
	for _, n := range m.state.Nodes {
		list = append(list, fmt.Sprint(n.ID))
	}
	return strings.Join(list, ", ")
}

// allowed says why a broker cannot suffer something in its present state.
func (m *Model) allowed(f kafkaops.Fault, ok func(watch.Node) bool) error {
	n, _ := m.state.Node(f.Node)
	participle := map[kafkaops.Verb]string{
		kafkaops.Kill: "killed", kafkaops.Stop: "stopped", kafkaops.Pause: "paused", kafkaops.Resume: "resumed", kafkaops.Start: "started",
		kafkaops.Restart: "restarted", kafkaops.Cut: "cut off", kafkaops.Reconnect: "reconnected",
	}[f.Verb]
	state := map[kafkaops.Process]string{
		kafkaops.ProcessUnknown: "is not known to run here", kafkaops.ProcessStarting: "is starting", kafkaops.ProcessRunning: "runs",
		kafkaops.ProcessPaused: "is paused", kafkaops.ProcessExited: "is down", kafkaops.ProcessCut: "is cut off",
	}[n.Process]
	switch {
	case (len(n.Can) > 0 || f.Verb == kafkaops.Cut || f.Verb == kafkaops.Reconnect) && !slices.Contains(n.Can, f.Verb):
		return fmt.Errorf("a broker of this cluster (%s) cannot be %s", m.backend.Info.Provider, participle)
	case !ok(n):
		return fmt.Errorf("broker %d %s, and cannot be %s", n.ID, state, participle)
	}
	return nil
}

// offerBrokers lists those that something can be done to.
func (m *Model) offerBrokers(before []string, ok func(watch.Node) bool) (list []candidate) {
	if m.state == nil {
		return nil
	}
	switch {
	case len(before) == 1 && before[0] == "leader":
		for _, p := range m.state.Partitions {
			list = append(list, candidate{fmt.Sprintf("%s/%d", p.Topic, p.ID), fmt.Sprintf("led by broker %d", p.Leader)})
		}
	case len(before) == 0:
		for _, n := range m.state.Nodes {
			if ok(n) {
				list = append(list, candidate{fmt.Sprint(n.ID), n.Health.String() + ", leads " + fmt.Sprint(n.Leads)})
			}
		}
		if q := m.state.Quorum; q.Known {
			if n, known := m.state.Node(q.Leader); known && ok(n) {
				list = append(list, candidate{string(kafkaops.Controller), fmt.Sprintf("broker %d now", q.Leader)})
			}
		}
		list = append(list, candidate{"leader", "of a partition: leader TOPIC/PARTITION"})
	}
	return list
}

// ---- services

func offerServices(m *Model, before []string) (list []candidate) {
	for _, svc := range m.staff.rows {
		if len(before) == 0 && m.control(svc.Name) != nil {
			word, _ := m.stateWord(svc)
			list = append(list, candidate{svc.Name, word})
		}
	}
	return list
}

func offerScale(m *Model, before []string) (list []candidate) {
	if len(before) != 1 {
		return offerServices(m, before)
	}
	for n := range services.MaxInstances {
		list = append(list, candidate{text: fmt.Sprint(n + 1)})
	}
	return list
}

// serviceNamed is a service that can be controlled.
func (m *Model) serviceNamed(name string) (services.Stats, error) {
	if m.backend == nil {
		return services.Stats{}, errNotReady
	}
	var names []string
	for _, svc := range m.staff.rows {
		if m.control(svc.Name) == nil {
			continue
		}
		if names = append(names, svc.Name); svc.Name == name {
			return svc, nil
		}
	}
	if len(names) == 0 {
		return services.Stats{}, errors.New("no service can be controlled from here")
	}
	return services.Stats{}, fmt.Errorf("the services are %s, not %q", strings.Join(names, ", "), name)
}

// askToDoNow asks about an act to a service, if it can be done now.
func (m *Model) askToDoNow(a staffAct, svc services.Stats) (tea.Cmd, error) {
	if err := a.allowed(svc); err != nil {
		return nil, err
	}
	if a.verb == startService.verb {
		return m.actOn(a, svc.Name), nil // it costs nothing, and its key does not ask either
	}
	return m.askToDo(a, svc), nil
}

// allowed says why a service cannot suffer an act in its present state.
func (a staffAct) allowed(svc services.Stats) error {
	switch {
	case a.verb == startService.verb && !isStopped(svc):
		return fmt.Errorf("%s is not stopped", svc.Name)
	case a.verb == crashService.verb && !lives(svc):
		return fmt.Errorf("no instance of %s runs", svc.Name)
	case a.verb == stopService.verb && isStopped(svc):
		return fmt.Errorf("%s is stopped already", svc.Name)
	}
	return nil
}

func crashWord(m *Model, rest string) (tea.Cmd, error) {
	svc, err := m.serviceNamed(rest)
	if err != nil {
		return nil, err
	}
	return m.askToDoNow(crashService, svc)
}

func scaleWord(m *Model, rest string) (tea.Cmd, error) {
	name, n, _ := strings.Cut(rest, " ")
	svc, err := m.serviceNamed(name)
	if err != nil {
		return nil, err
	}
	to, err := wholeNumber(strings.TrimSpace(n), "the instances of "+svc.Name, 1, services.MaxInstances)
	if err != nil {
		return nil, err
	}
	return m.scaleTo(svc, to), nil
}
