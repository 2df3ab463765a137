package services

import "errors"

// Refuse marks err as final: handling the event again cannot help, so it goes to the dead letters. Refuse(nil) is nil.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	return &refusal{err}
}

type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refused(err error) bool {
	_, ok := errors.AsType[*refusal](err)
	return ok
}
