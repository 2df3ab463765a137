package main

import (
	"errors"
	"fmt"

	"kassa/kafkaops"
	"kassa/services/catalogue"
	"kassa/services/events"
)

// loadCatalogue is what the shop sells: the demo's products without a file.
func loadCatalogue(path string) ([]events.Item, error) {
	if path == "" {
		return events.DefaultCart(), nil
	}
	products, err := catalogue.Load(path)
	if _, ok := errors.AsType[*catalogue.Error](err); ok {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("correct the catalogue %s: %v", path, err), Err: err}
	}
	if err != nil {
		return nil, &kafkaops.UserError{Message: fmt.Sprintf("cannot read the catalogue (%v): choose another file with --catalogue", err), Err: err}
	}
	return products, nil
}
