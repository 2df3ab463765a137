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

// PutOff marks err as one of this event alone, which may be handled later: the others of its batch, but for those of its key, are handled before it is tried
// again. After any other error that is not final the others wait, for it would be theirs too. PutOff(nil) is nil.
func PutOff(err error) error {
	if err == nil {
		return nil
	}
	return &delay{err}
}

type delay struct{ err error }

func (d *delay) Error() string { return d.err.Error() }
func (d *delay) Unwrap() error { return d.err }

func putOff(err error) bool {
	_, ok := errors.AsType[*delay](err)
	return ok
}
