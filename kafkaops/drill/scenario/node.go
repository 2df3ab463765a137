package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Error says what is wrong with a scenario, and where.
type Error struct {
	Line   int // 0: the file as a whole
	Reason string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Reason
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

func errAt(n ast.Node, format string, args ...any) error {
	return &Error{lineOf(n), fmt.Sprintf(format, args...)}
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// document reads the one document of a file. The library panics on some that are broken: that is an error too.
func document(text []byte) (root ast.Node, err error) {
	defer func() {
		if why := recover(); why != nil {
			root, err = nil, &Error{Reason: "it is not YAML that can be understood"}
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, explain(err)
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			return nil, &Error{Reason: "it has more than one document (---)"}
		}
		root = d.Body
	}
	if root == nil {
		return nil, &Error{Reason: "it is empty"}
	}
	return root, nil
}

// explain says in a sentence what the YAML library says with a picture.
func explain(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil || at.GetToken().Position == nil {
		return &Error{Reason: strings.Join(strings.Fields(err.Error()), " ")}
	}
	return &Error{at.GetToken().Position.Line, strings.Join(strings.Fields(at.GetMessage()), " ")}
}

// field is one thing that a mapping may hold.
type field struct {
	name string
	read func(ast.Node) error
}

// mapping reads a mapping of these fields, each once and no other.
func mapping(n ast.Node, what string, fields ...field) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return errAt(n, "%s has fields, each on a line as in %s: …", what, fields[0].name)
	}
	seen := map[string]int{}
	for it := m.MapRange(); it.Next(); {
		key, err := word(it.Key(), "the name of a field")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key })
		if i < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.name
			}
			return errAt(it.Key(), "%s is no field of %s: there are %s", brief(key), what, strings.Join(names, ", "))
		}
		if first, twice := seen[key]; twice {
			return errAt(it.Key(), "%s is there already, in line %d", key, first)
		}
		seen[key] = lineOf(it.Key())
		if err := fields[i].read(it.Value()); err != nil {
			return err
		}
	}
	return nil
}

// sequence reads each element of a list.
func sequence(n ast.Node, what string, most int, each func(i int, n ast.Node) error) error {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return errAt(n, "%s is a list, each on a line that begins with -", what)
	}
	if len(s.Values) > most {
		return errAt(n, "%s has %d elements, and at most %d are read", what, len(s.Values), most)
	}
	for i, v := range s.Values {
		if err := each(i, v); err != nil {
			return err
		}
	}
	return nil
}

// word is a text, or a number or a word that YAML takes for something else when it has no quotes.
func word(n ast.Node, what string) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case nil, *ast.NullNode:
		return "", errAt(n, "%s is empty", what)
	}
	return "", errAt(n, "%s is a word, not %s", what, brief(n.String()))
}

func text(into *string, what string) func(ast.Node) error {
	return func(n ast.Node) (err error) {
		*into, err = word(n, what)
		*into = strings.Join(strings.Fields(*into), " ")
		return err
	}
}

// oneOf is a word out of a few.
func oneOf(into *string, what string, words ...string) func(ast.Node) error {
	return func(n ast.Node) error {
		w, err := word(n, what)
		if err != nil {
			return err
		}
		if !slices.Contains(words, w) {
			return errAt(n, "%s is %s, not %q", what, list(words), brief(w))
		}
		*into = w
		return nil
	}
}

func number[N int | int64](into *N, what string, least, most int64) func(ast.Node) error {
	return func(n ast.Node) error {
		w, err := word(n, what)
		if err != nil {
			return err
		}
		v, err := strconv.ParseInt(strings.ReplaceAll(w, "_", ""), 10, 64)
		if err != nil || v < least || v > most {
			return errAt(n, "%s is a whole number from %d to %d, not %s", what, least, most, brief(w))
		}
		*into = N(v)
		return nil
	}
}

func duration(into *time.Duration, what string) func(ast.Node) error {
	return func(n ast.Node) error {
		w, err := word(n, what)
		if err != nil {
			return err
		}
		*into, err = parseDuration(w, what)
		if err != nil {
			return errAt(n, "%s", err)
		}
		return nil
	}
}

func parseDuration(w, what string) (time.Duration, error) {
	d, err := time.ParseDuration(w)
	if err != nil || d < 0 || d > MaxTime {
		return 0, fmt.Errorf("%s is a time such as 500ms, 5s or 2m, of at most %s, not %s", what, brevity(MaxTime), brief(w))
	}
	return d, nil
}

// brevity is a duration without units that are 0: "24h".
func brevity(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
