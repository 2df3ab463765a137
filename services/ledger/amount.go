package ledger

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// mostMinor is the largest amount that the shop's wire format allows, in minor units.
const mostMinor = 999_999_999_999_999

// longestAmount is in characters; nobody means an amount that is longer.
const longestAmount = 300

var errAmount = errors.New("no amount of the shop's")

// parseAmount reads a decimal number of JSON's grammar as minor units, rounded to the nearest, halves away from zero. Negative ones and those beyond
// the wire format's bounds are an error.
func parseAmount(number string) (int64, error) {
	if minor, ok := plain(number); ok {
		return within(minor)
	}
	if len(number) > longestAmount {
		return 0, errAmount
	}
	// big.Rat would write an exponent out in full.
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	if e, err := strconv.ParseInt(exponent, 10, 64); exponent != "" && (err != nil || e > 2*longestAmount || e < -2*longestAmount) {
		if strings.Trim(mantissa, "-0.") == "" || strings.HasPrefix(exponent, "-") && !strings.HasPrefix(mantissa, "-") {
			return 0, nil
		}
		return 0, errAmount
	}
	exact, ok := new(big.Rat).SetString(number)
	if !ok || exact.Sign() < 0 {
		return 0, errAmount
	}
	exact.Mul(exact, big.NewRat(100, 1)).Add(exact, big.NewRat(1, 2)) // the whole part of this is the nearest
	minor := new(big.Int).Quo(exact.Num(), exact.Denom())
	if !minor.IsInt64() {
		return 0, errAmount
	}
	return within(minor.Int64())
}

// plain reads what nearly all amounts are: up to 13 digits, and perhaps a point and one or two more.
func plain(number string) (minor int64, ok bool) {
	decimals := -1 // none, and no point
	for i := range len(number) {
		switch c := number[i]; {
		case c == '.':
			decimals = 0
			continue
		case c < '0' || c > '9' || i > 15 || decimals == 2:
			return 0, false
		default:
			minor = minor*10 + int64(c-'0')
		}
		if decimals >= 0 {
			decimals++
		}
	}
	for decimals = max(decimals, 0); decimals < 2; decimals++ {
		minor *= 10
	}
	return minor, true
}

func within(minor int64) (int64, error) {
	if minor < 0 || minor > mostMinor {
		return 0, errAmount
	}
	return minor, nil
}

// amountText is an amount as it is on the wire: 1999.9, 500.
func amountText(minor int64) string {
	text := strconv.FormatInt(minor/100, 10)
	if cents := minor % 100; cents > 0 {
		text += "." + strings.TrimRight(string([]byte{'0' + byte(cents/10), '0' + byte(cents%10)}), "0")
	}
	return text
}
