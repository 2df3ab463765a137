package events

import (
	"errors"
	"fmt"
	"strconv"
)

// Money is an amount in minor units (paise): 199990 is Rs. 1999.90. On the wire it is the decimal number that JavaScript
// would write, 1999.9; no float is involved on the way.
type Money int64

// MaxMoney is the largest amount that is read or written, either sign: 15 digits, the most that every program which keeps
// amounts in a double (the demo's JavaScript) can hold without changing them.
const MaxMoney Money = 999_999_999_999_999

// String is the amount with two decimals, "1999.90", for people.
func (m Money) String() string {
	sign, u := m.split()
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// MarshalJSON writes the shortest decimal number, as JavaScript does: 1999.9, 500, 6949.7.
func (m Money) MarshalJSON() ([]byte, error) {
	if m > MaxMoney || m < -MaxMoney {
		return nil, fmt.Errorf("amount %s is absurdly large", m)
	}
	sign, u := m.split()
	b := strconv.AppendUint([]byte(sign), u/100, 10)
	switch cents := u % 100; {
	case cents == 0:
	case cents%10 == 0:
		b = append(b, '.', '0'+byte(cents/10))
	default:
		b = append(b, '.', '0'+byte(cents/10), '0'+byte(cents%10))
	}
	return b, nil
}

// UnmarshalJSON reads any JSON number and rounds it to the nearest minor unit, halves away from zero, so that the noise
// of a sum of doubles (6949.700000000001) is lost and nothing else. Null is an error: an amount is never unknown here.
func (m *Money) UnmarshalJSON(number []byte) error {
	v, err := parseMoney(number)
	if err != nil {
		return err
	}
	*m = v
	return nil
}

func (m Money) split() (sign string, abs uint64) {
	if m < 0 {
		return "-", uint64(-m)
	}
	return "", uint64(m)
}

var (
	errNotNumber = errors.New("not a number")
	errTooLarge  = errors.New("absurdly large")
)

// parseMoney reads a number of JSON's grammar (RFC 8259, section 6) digit by digit.
func parseMoney(in []byte) (Money, error) {
	rest := in
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	whole, rest := takeDigits(rest)
	if len(whole) == 0 || len(whole) > 1 && whole[0] == '0' {
		return 0, errNotNumber
	}
	var fraction []byte
	if len(rest) > 0 && rest[0] == '.' {
		if fraction, rest = takeDigits(rest[1:]); len(fraction) == 0 {
			return 0, errNotNumber
		}
	}
	exponent := 0
	if len(rest) > 0 && (rest[0] == 'e' || rest[0] == 'E') {
		var ok bool
		if exponent, rest, ok = takeExponent(rest[1:]); !ok {
			return 0, errNotNumber
		}
	}
	if len(rest) > 0 {
		return 0, errNotNumber
	}

	// keep is how many of the digits stand before the point once the amount is in minor units.
	keep := len(whole) + exponent + 2
	digit := func(i int) byte {
		switch {
		case i < 0:
			return 0
		case i < len(whole):
			return whole[i] - '0'
		case i < len(whole)+len(fraction):
			return fraction[i-len(whole)] - '0'
		}
		return 0
	}
	total := len(whole) + len(fraction)
	var minor Money
	for i := 0; i < keep; i++ {
		if minor = minor*10 + Money(digit(i)); minor > MaxMoney {
			return 0, errTooLarge
		}
		if i >= total && minor == 0 {
			break // 0e999999999
		}
	}
	if digit(keep) >= 5 {
		minor++
	}
	if minor > MaxMoney {
		return 0, errTooLarge
	}
	if negative {
		minor = -minor
	}
	return minor, nil
}

func takeDigits(in []byte) (digits, rest []byte) {
	n := 0
	for n < len(in) && '0' <= in[n] && in[n] <= '9' {
		n++
	}
	return in[:n], in[n:]
}

// takeExponent stops counting at a size that no amount within bounds can need, so that it cannot overflow.
func takeExponent(in []byte) (exponent int, rest []byte, ok bool) {
	const beyond = 1 << 30
	negative := len(in) > 0 && in[0] == '-'
	if len(in) > 0 && (in[0] == '-' || in[0] == '+') {
		in = in[1:]
	}
	digits, rest := takeDigits(in)
	for _, d := range digits {
		exponent = min(exponent*10+int(d-'0'), beyond)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, rest, len(digits) > 0
}
