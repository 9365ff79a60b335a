package ipvsctl

import (
	"errors"
	"fmt"
	"syscall"
)

// OpError is something that a table was asked for and did not do. errors.Is finds the kernel's errno in it.
type OpError struct {
	Op   string // the change as arguments of ipvsadm, or "open" or "read"
	Err  error
	Hint string // for a person: what it may be; "" when Err says all
}

func (e *OpError) Error() string {
	text := fmt.Sprintf("ipvs %s: %v", e.Op, e.Err)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

func (e *OpError) Unwrap() error { return e.Err }

// refused is the error of Do for op, nil for a nil err.
func refused(op Op, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op.String(), Err: err, Hint: op.hint(err)}
}

// hint says what an errno means for op: the kernel uses the same few for everything.
func (op Op) hint(err error) string {
	service := op.Kind == AddService || op.Kind == EditService
	var open *OpError
	switch {
	case errors.As(err, &open): // it has a hint of its own
		return ""
	case errors.Is(err, syscall.EPERM):
		return hintPermission
	case errors.Is(err, syscall.ESRCH):
		return "the virtual service is not in the table"
	case errors.Is(err, syscall.ENOENT) && service && op.Settings.PEName != "":
		return fmt.Sprintf("the kernel lacks module ip_vs_%s or ip_vs_pe_%s", op.Settings.Scheduler, op.Settings.PEName)
	case errors.Is(err, syscall.ENOENT) && service:
		return fmt.Sprintf("the kernel lacks module ip_vs_%s", op.Settings.Scheduler)
	case errors.Is(err, syscall.ENOENT):
		return "the destination is not in the table"
	default:
		return ""
	}
}

const hintPermission = "it takes root, or the capability CAP_NET_ADMIN"
