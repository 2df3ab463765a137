// Package catalogue reads what the shop sells from a small file, and refuses what payment would refuse later. A file is YAML, and so
// may be JSON: a list of products, each with the fields that it has on the wire.
package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"kassa/services/events"
	"kassa/services/payment"
)

// Bounds of a catalogue.
const (
	MaxProducts = 500     // people choose from a screen
	MaxFile     = 2 << 20 // bytes: as many products with all texts as long as may be
)

// Error says what is wrong with a catalogue, and where.
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

// Load reads a file; what is wrong with its text is an *Error.
func Load(path string) ([]events.Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads a catalogue of at least one product; what is wrong is an *Error.
func Parse(text []byte) (products []events.Item, err error) {
	switch {
	case len(text) > MaxFile:
		return nil, &Error{Reason: fmt.Sprintf("it is larger than %d bytes", MaxFile)}
	case !utf8.Valid(text):
		return nil, &Error{Reason: "it is not UTF-8"}
	}
	list, err := decode(text)
	if err != nil {
		return nil, explain(err)
	}
	switch {
	case len(list) == 0:
		return nil, &Error{Reason: "it has no products: write at least one, with id, name and price"}
	case len(list) > MaxProducts:
		return nil, &Error{Reason: fmt.Sprintf("it has %d products, and at most %d are sold", len(list), MaxProducts)}
	}
	seen := make(map[int64]int)
	for i, p := range list {
		item, line, err := p.item(i)
		if err != nil {
			return nil, err
		}
		if first, twice := seen[item.ID]; twice {
			return nil, &Error{line, fmt.Sprintf("id %d is there already, in line %d", item.ID, first)}
		}
		seen[item.ID] = line
		products = append(products, item)
	}
	return products, nil
}

// decode reads the one document of a file. The library panics on some that are broken, such as a tag before a plain word: that is an error too.
func decode(text []byte) (list []product, err error) {
	defer func() {
		if why := recover(); why != nil {
			err = errors.New("it is not YAML that can be understood")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	switch err := dec.Decode(&list); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	var more ast.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one document (---)")
	}
	return list, nil
}

// explain says in a sentence what the YAML library says with a picture.
func explain(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil || at.GetToken().Position == nil {
		return &Error{Reason: strings.Join(strings.Fields(err.Error()), " ")}
	}
	tok := at.GetToken()
	line := tok.Position.Line
	if _, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		return &Error{line, fmt.Sprintf("%s is not a field of a product: there are id, name, price, image and description", brief(tok.Value))}
	}
	if _, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](err); ok {
		return &Error{line, "a catalogue is a list of products, each with id, name and price"}
	}
	return &Error{line, strings.Join(strings.Fields(at.GetMessage()), " ")}
}

// product is an item of the file as its author wrote it: a node knows its text, from which an amount is read without a float, and its line.
type product struct {
	ID          ast.Node `yaml:"id"`
	Name        ast.Node `yaml:"name"`
	Price       ast.Node `yaml:"price"`
	Image       ast.Node `yaml:"image"`
	Description ast.Node `yaml:"description"`
}

// item is the i-th product as it goes onto the wire, and the line of its id.
func (p product) item(i int) (item events.Item, line int, err error) {
	for _, need := range []struct {
		name string
		node ast.Node
	}{{"id", p.ID}, {"name", p.Name}, {"price", p.Price}} {
		if need.node == nil {
			return item, 0, &Error{p.line(), fmt.Sprintf("product %d has no %s", i+1, need.name)}
		}
	}
	line = lineOf(p.ID)
	if item.ID, err = strconv.ParseInt(number(p.ID), 10, 64); err != nil || item.ID < 0 || item.ID > maxID {
		return item, line, &Error{line, fmt.Sprintf("an id is a whole number from 0 to %d, not %s", maxID, raw(p.ID))}
	}
	if item.Price, err = price(p.Price); err != nil {
		return item, line, err
	}
	for _, t := range []struct {
		name string
		node ast.Node
		into *string
	}{{"name", p.Name, &item.Name}, {"image", p.Image, &item.Image}, {"description", p.Description, &item.Description}} {
		if *t.into, err = text(t.name, t.node); err != nil {
			return item, line, err
		}
	}
	if strings.TrimSpace(item.Name) == "" {
		return item, line, &Error{lineOf(p.Name), "a name is empty"}
	}
	return item, line, nil
}

// maxID is the largest whole number that the demo's JavaScript holds without changing it.
const maxID = 1<<53 - 1

// line is where the product is, as far as it is known.
func (p product) line() int {
	for _, n := range []ast.Node{p.ID, p.Name, p.Price, p.Image, p.Description} {
		if n != nil {
			return lineOf(n)
		}
	}
	return 0
}

// price is never more exact than a minor unit, so that what is written is what is paid.
func price(n ast.Node) (events.Money, error) {
	written := number(n)
	var m events.Money
	if err := m.UnmarshalJSON([]byte(written)); err != nil {
		return 0, &Error{lineOf(n), fmt.Sprintf("a price is a number such as 1999.90, not %s", raw(n))}
	}
	_, fraction, _ := strings.Cut(written, ".")
	switch {
	case m < 0 || strings.HasPrefix(written, "-"):
		return 0, &Error{lineOf(n), fmt.Sprintf("the price %s is negative", written)}
	case m > payment.MaxPrice:
		return 0, &Error{lineOf(n), fmt.Sprintf("the price %s is more than %s", written, payment.MaxPrice)}
	case len(fraction) > 2 || strings.ContainsAny(written, "eE"):
		return 0, &Error{lineOf(n), fmt.Sprintf("a price has at most two decimals, not %s", written)}
	}
	return m, nil
}

// number is the text of a node that is a number; empty if it is something else.
func number(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return n.Token.Value
	case *ast.FloatNode:
		return n.Token.Value
	}
	return ""
}

// text is a string, or a number or a word that YAML takes for something else when it has no quotes; nothing is empty.
func text(name string, n ast.Node) (string, error) {
	var s string
	switch n := n.(type) {
	case nil, *ast.NullNode:
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		s = n.GetToken().Value
	default:
		return "", &Error{lineOf(n), fmt.Sprintf("the %s is not a text", name)}
	}
	if len(s) > payment.MaxText {
		return "", &Error{lineOf(n), fmt.Sprintf("the %s is longer than %d bytes", name, payment.MaxText)}
	}
	if !utf8.ValidString(s) {
		return "", &Error{lineOf(n), fmt.Sprintf("the %s is not UTF-8", name)}
	}
	return s, nil
}

// raw is a node as it was written, for a sentence.
func raw(n ast.Node) string { return brief(n.String()) }

// brief is the beginning of a text, on one line.
func brief(text string) string {
	const enough = 40
	s := strings.Join(strings.Fields(text), " ")
	if len(s) > enough {
		s = strings.ToValidUTF8(s[:enough], "") + "…"
	}
	return s
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
