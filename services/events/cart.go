package events

import "fmt"

// DefaultCart is the demo's own: three products for Rs. 6949.70.
func DefaultCart() []Item {
	return []Item{
		{ID: 1, Name: "T-Shirt", Price: 199990, Image: "/product1.png", Description: "Plain cotton, soft and light"},
		{ID: 2, Name: "Nike Air Max", Price: 444990, Image: "/product2.png", Description: "Running shoes with an air cushion"},
		{ID: 3, Name: "Cap", Price: 49990, Image: "/product3.png", Description: "Keeps the sun out of your eyes"},
	}
}

// Total is the sum of the prices; an error when it passes MaxMoney.
func Total(cart []Item) (Money, error) {
	var sum Money
	for i, item := range cart {
		// Each price is within ±MaxMoney, so the sum cannot overflow before it is looked at.
		if item.Price > MaxMoney || item.Price < -MaxMoney {
			return 0, fmt.Errorf("cart[%d].price is %w", i, errTooLarge)
		}
		if sum += item.Price; sum > MaxMoney || sum < -MaxMoney {
			return 0, fmt.Errorf("the sum of the cart is %w", errTooLarge)
		}
	}
	return sum, nil
}
