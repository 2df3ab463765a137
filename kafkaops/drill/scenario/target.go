package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// TargetKind is how an act finds whom it hits.
type TargetKind uint8

// The kinds.
const (
	NoTarget    TargetKind = iota
	Controller             // the leader of the quorum
	LeaderOf               // of a partition
	Follower               // a broker that is up and does not lead the quorum
	FollowerOf             // one that is in sync with a partition and does not lead it
	FollowersOf            // all of those
	Random                 // any broker that is up
	Other                  // any that is up, but the last one that was hit
	Same                   // the last one that was hit
	All                    // every broker to which the act can be done
	Broker                 // the one with this number
	Service                // not a broker
)

// Target is whom an act hits, by the role it plays at that moment.
type Target struct {
	Kind      TargetKind
	Topic     string
	Partition int32
	Node      int32
	Service   string
}

// serviceNames are the names of the shop's, in the order of the flow.
func serviceNames() []string { return []string{"payment", "order", "email", "analytics"} }

// topicNames are the shop's topics, in the order of the flow.
func topicNames() []string {
	return []string{"payment-successful", "order-successful", "email-successful"}
}

func itoa(n int) string { return strconv.Itoa(n) }

// String is as a file says it.
func (t Target) String() string {
	part := fmt.Sprintf("%s/%d", t.Topic, t.Partition)
	switch t.Kind {
	case Controller:
		return "controller"
	case LeaderOf:
		return "leader of " + part
	case Follower:
		return "follower"
	case FollowerOf:
		return "follower of " + part
	case FollowersOf:
		return "followers of " + part
	case Random:
		return "random"
	case Other:
		return "other"
	case Same:
		return "same"
	case All:
		return "all"
	case Broker:
		return fmt.Sprintf("broker %d", t.Node)
	case Service:
		return t.Service
	}
	return ""
}

var ofPartition = regexp.MustCompile(`^(leader|follower|followers) of ([a-z-]+)/([0-9]{1,3})$`)

// ParseTarget reads a target as String writes it.
func ParseTarget(text string) (Target, error) {
	text = strings.Join(strings.Fields(text), " ")
	for _, k := range []TargetKind{Controller, Follower, Random, Other, Same, All} {
		if t := (Target{Kind: k}); t.String() == text {
			return t, nil
		}
	}
	if slices.Contains(serviceNames(), text) {
		return Target{Kind: Service, Service: text}, nil
	}
	if number, ok := strings.CutPrefix(text, "broker "); ok {
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 {
			return Target{}, fmt.Errorf("a broker has a number such as broker 2, not %q", brief(text))
		}
		return Target{Kind: Broker, Node: int32(n)}, nil
	}
	if m := ofPartition.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseInt(m[3], 10, 32) // three digits
		if !slices.Contains(topicNames(), m[2]) {
			return Target{}, fmt.Errorf("the topics are %s, not %q", list(topicNames()), brief(m[2]))
		}
		kind := map[string]TargetKind{"leader": LeaderOf, "follower": FollowerOf, "followers": FollowersOf}[m[1]]
		return Target{Kind: kind, Topic: m[2], Partition: int32(n)}, nil
	}
	return Target{}, fmt.Errorf("%q is nobody: a target is controller, leader of TOPIC/PARTITION, follower, random, other, same, all, broker NUMBER, or a service (%s)",
		brief(text), list(serviceNames()))
}

// list is words as a sentence has them: "a, b or c".
func list(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}

// brief is the beginning of a text, on one line.
func brief(text string) string {
	const enough = 60
	s := strings.Join(strings.Fields(text), " ")
	if len(s) > enough {
		s = strings.ToValidUTF8(s[:enough], "") + "…"
	}
	return s
}
