package events_test

import (
	"encoding/json"
	"math/big"
	"testing"

	"kassa/services/events"
)

func TestMoneyIsWrittenAsJavaScriptWritesNumbers(t *testing.T) {
	for m, want := range map[events.Money]string{
		199990: "1999.9", 50000: "500", 694970: "6949.7", 0: "0", 1: "0.01", 10: "0.1", 105: "1.05", -1: "-0.01", -199990: "-1999.9",
		events.MaxMoney: "9999999999999.99",
	} {
		got, err := json.Marshal(m)
		if err != nil || string(got) != want {
			t.Errorf("%d is written %s (%v), want %s", m, got, err, want)
		}
	}
	if got, err := json.Marshal(events.MaxMoney + 1); err == nil {
		t.Errorf("an absurd amount is written %s", got)
	}
	if got := events.Money(199990).String(); got != "1999.90" {
		t.Errorf("for people: %s", got)
	}
}

func TestMoneyIsReadExactlyAndRoundsNoise(t *testing.T) {
	for in, want := range map[string]events.Money{
		"1999.9": 199990, "1999.90": 199990, "500": 50000, "6949.700000000001": 694970, "6949.699999999999": 694970,
		"0": 0, "-0": 0, "0.005": 1, "0.0049999999999": 0, "-0.005": -1, "1e2": 10000, "1.5E+1": 1500, "19999e-1": 199990, "0.1e1": 100,
		"0e999999999999": 0, "1e-999999999999": 0, "9999999999999.99": events.MaxMoney, "0.00000000000000000000000000001e29": 100,
	} {
		var got events.Money
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s is read as %d (%v), want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"1e999999999999", "10000000000000", "9999999999999.995", "-1e14", `"5"`, "null", "true", "[]", "NaN", "Infinity", "01", "1.", ".5", "+1", "1e", "-", "0x10", "1_000", ""} {
		var got events.Money
		if err := got.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%q is read as %d", in, got)
		}
	}
}

// The digits are checked against rational arithmetic.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{"1999.9", "-0.005", "1e3", "12345678901234567890", "0.1e-7", "9999999999999.995"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 64 {
			return
		}
		var got events.Money
		err := got.UnmarshalJSON([]byte(in))
		var number json.Number
		if json.Unmarshal([]byte(in), &number) != nil || in[0] == '"' || in[0] == 'n' || in[0] <= ' ' || in[len(in)-1] <= ' ' {
			if err == nil {
				t.Fatalf("%q is no number, and was read as %d", in, got)
			}
			return
		}
		exact, ok := new(big.Rat).SetString(in)
		if !ok {
			return // an exponent that big will not take
		}
		minor := new(big.Rat).Mul(exact, big.NewRat(100, 1))
		if err != nil {
			if limit := new(big.Rat).SetInt64(int64(events.MaxMoney)); minor.Abs(minor).Cmp(limit) <= 0 {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		off := new(big.Rat).Sub(minor, new(big.Rat).SetInt64(int64(got)))
		if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
			t.Fatalf("%q was read as %d", in, got)
		}
		out, err := got.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var again events.Money
		if err := again.UnmarshalJSON(out); err != nil || again != got {
			t.Fatalf("%d was written %s and read as %d (%v)", got, out, again, err)
		}
	})
}
