package catalogue_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kassa/services/catalogue"
	"kassa/services/events"
	"kassa/services/payment"
)

const demo = `# the demo's own
- id: 1
  name: T-Shirt
  price: 1999.90
  image: /product1.png
  description: Plain cotton, soft and light
- {id: 2, name: Nike Air Max, price: 4449.9, image: /product2.png, description: "Running shoes with an air cushion"}
- id: 3
  name: Cap
  price: 499.90
  image: /product3.png
  description: Keeps the sun out of your eyes
`

func TestTheDemosProducts(t *testing.T) {
	got, err := catalogue.Parse([]byte(demo))
	if err != nil || !reflect.DeepEqual(got, events.DefaultCart()) {
		t.Errorf("%+v, %v", got, err)
	}
	json := `[{"id":1,"name":"T-Shirt","price":1999.9,"image":"/product1.png","description":"Plain cotton, soft and light"}]`
	if got, err := catalogue.Parse([]byte(json)); err != nil || !reflect.DeepEqual(got, events.DefaultCart()[:1]) {
		t.Errorf("as JSON: %+v, %v", got, err)
	}
}

func TestWhatIsWrittenIsWhatIsPaid(t *testing.T) {
	for written, want := range map[string]events.Money{"0": 0, "0.01": 1, "0.29": 29, "1": 100, "10.5": 1050, "4449.90": 444990, "10000000": 1_000_000_000, "9999999.99": 999_999_999} {
		got, err := catalogue.Parse([]byte("- {id: 0, name: a, price: " + written + "}"))
		if err != nil || got[0].Price != want {
			t.Errorf("%s: %+v, %v", written, got, err)
		}
	}
}

func TestWordsThatYAMLTakesForSomethingElse(t *testing.T) {
	got, err := catalogue.Parse([]byte("- id: 1\n  name: 501\n  price: 1\n  image: null\n  description: |\n    two\n    lines\n- {id: 2, name: yes, price: 2, description: true}"))
	if err != nil || got[0].Name != "501" || got[0].Image != "" || got[0].Description != "two\nlines\n" || got[1].Name != "yes" || got[1].Description != "true" {
		t.Errorf("%+v, %v", got, err)
	}
}

// One sentence says what is wrong, and in which line.
func TestErrors(t *testing.T) {
	ok := "- {id: 1, name: a, price: 1}\n"
	many := &strings.Builder{}
	for i := range catalogue.MaxProducts + 1 {
		fmt.Fprintf(many, "- {id: %d, name: a, price: 1}\n", i)
	}
	for text, want := range map[string]string{
		"":                                       "it has no products: write at least one, with id, name and price",
		"# nothing\n":                            "it has no products: write at least one, with id, name and price",
		"[]":                                     "it has no products: write at least one, with id, name and price",
		many.String():                            "it has 501 products, and at most 500 are sold",
		strings.Repeat("#", 3<<20):               "it is larger than 2097152 bytes",
		"- {id: 1, name: \xff, price: 1}":        "it is not UTF-8",
		ok + "- {id: 2, name: b}":                "line 2: product 2 has no price",
		ok + "- name: b\n  price: 1":             "line 2: product 2 has no id",
		ok + "- {id: 2, price: 1}":               "line 2: product 2 has no name",
		ok + "- {}":                              "product 2 has no id",
		ok + "-":                                 "product 2 has no id",
		ok + ok:                                  "line 2: id 1 is there already, in line 1",
		ok + "- id: 2\n  name: b\n  prize: 5":    "line 4: prize is not a field of a product: there are id, name, price, image and description",
		"- id: 1\n  name: a\n  price: -5":        "line 3: the price -5 is negative",
		"- id: 1\n  name: a\n  price: -0":        "line 3: the price -0 is negative",
		"- id: 1\n  name: a\n  price: 1.999":     "line 3: a price has at most two decimals, not 1.999",
		"- {id: 1, name: a, price: 1e3}":         "line 1: a price is a number such as 1999.90, not 1e3",
		"- {id: 1, name: a, price: 10000000.01}": "line 1: the price 10000000.01 is more than 10000000.00",
		"- {id: 1, name: a, price: 99999999999999999999}":              "line 1: a price is a number such as 1999.90, not 99999999999999999999",
		"- {id: 1, name: a, price: free}":                              "line 1: a price is a number such as 1999.90, not free",
		"- {id: 1, name: a, price: .nan}":                              "line 1: a price is a number such as 1999.90, not .nan",
		"- {id: 1, name: a, price: .inf}":                              "line 1: a price is a number such as 1999.90, not .inf",
		"- {id: 1, name: a, price: 0x10}":                              "line 1: a price is a number such as 1999.90, not 0x10",
		"- {id: 1, name: a, price: 1_000}":                             "line 1: a price is a number such as 1999.90, not 1_000",
		"- {id: 1, name: a, price: '5'}":                               "line 1: a price is a number such as 1999.90, not '5'",
		"- {id: 1, name: a, price: [1]}":                               "line 1: a price is a number such as 1999.90, not [1]",
		"- {id: x, name: a, price: 1}":                                 "line 1: an id is a whole number from 0 to 9007199254740991, not x",
		"- {id: 1.5, name: a, price: 1}":                               "line 1: an id is a whole number from 0 to 9007199254740991, not 1.5",
		"- {id: -1, name: a, price: 1}":                                "line 1: an id is a whole number from 0 to 9007199254740991, not -1",
		"- {id: 1, name: ' ', price: 1}":                               "line 1: a name is empty",
		"- {id: 1, name: [a], price: 1}":                               "line 1: the name is not a text",
		"- {id: 1, name: a, name: b, price: 1}":                        "line 1: mapping key \"name\" already defined at [1:11]",
		"- {id: 1, name: " + strings.Repeat("x", 1025) + ", price: 1}": "line 1: the name is longer than 1024 bytes",
		"- {id: 1, \"na\\nme\": a, price: 1}":                          "line 1: na me is not a field of a product: there are id, name, price, image and description",
		"products: 1":                                                  "line 1: a catalogue is a list of products, each with id, name and price",
		"!00000 000":                                                   "it is not YAML that can be understood",
		ok + "---\n" + ok:                                              "it has more than one document (---)",
		"- a\n- b":                                                     "line 1: a catalogue is a list of products, each with id, name and price",
	} {
		got, err := catalogue.Parse([]byte(text))
		if _, ok := errors.AsType[*catalogue.Error](err); !ok || err.Error() != want {
			t.Errorf("%.60q gives %+v and %q, want %q", text, len(got), err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q gives more than a line: %q", text, err)
		}
	}
	if _, err := catalogue.Parse([]byte("- {id: 1")); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("broken YAML gives %q", err)
	}
}

func TestNoFile(t *testing.T) {
	if _, err := catalogue.Load(t.TempDir() + "/none.yaml"); err == nil {
		t.Error("a file that is not there was read")
	}
	if _, err := catalogue.Load(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}

// Whatever a file says, it is refused in a sentence or sold: payment takes every product of it, and its record can be read again.
func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(demo))
	f.Add([]byte(`[{"id":1,"name":"a","price":1.5,"image":null,"description":"\u0000"}]`))
	f.Add([]byte("- &a {id: 1, name: a, price: 1}\n- *a\n- <<: *a\n  id: !!str 2"))
	f.Add([]byte("- id: 0x1\n  name: |-\n    x\n  price: 1e1\n---\n- {}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		products, err := catalogue.Parse(text)
		if err != nil {
			if _, ok := errors.AsType[*catalogue.Error](err); !ok || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q", err)
			}
			return
		}
		if len(products) == 0 || len(products) > catalogue.MaxProducts {
			t.Fatalf("%d products", len(products))
		}
		for _, p := range products {
			cart := make([]events.Item, payment.MaxItems)
			for i := range cart {
				cart[i] = p
			}
			if err := payment.CheckCart(cart); err != nil {
				t.Fatalf("payment refuses %+v: %v", p, err)
			}
			key, value, err := events.Encode(events.Payment{UserID: "u", CheckoutID: "c", Cart: cart[:1], Amount: p.Price})
			if err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			back, err := events.Decode(events.PaymentSuccessful, key, value, nil)
			if err != nil || back.Payload.(events.Payment).Cart[0] != p {
				t.Fatalf("%+v becomes %+v, %v", p, back.Payload, err)
			}
		}
	})
}
