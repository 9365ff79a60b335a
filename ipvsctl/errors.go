package ipvsctl

import (
	"errors"
	"fmt"
	"syscall"

	"ldirectord/internal/lvs"
)

// OpError is a failed request to a table. It wraps the kernel's errno if the kernel refused the request.
type OpError struct {
	Op   string // the change as arguments of ipvsadm; otherwise "open", or what was to be read
	Err  error
	Hint string // a likely cause, for a person; "" if Err is enough
}

func (e *OpError) Error() string {
	text := fmt.Sprintf("ipvs %s: %v", e.Op, e.Err)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

func (e *OpError) Unwrap() error { return e.Err }

// failed wraps err in an OpError. It returns nil if err is nil.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: err}
}

// refused wraps err, the result of op, in an OpError. It returns nil if err is nil.
func refused(op lvs.Op, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op.String(), Err: err, Hint: hint(err)}
}

// hint explains an error of the kernel, or the lack of an answer. The kernel uses only a few errnos.
func hint(err error) string {
	var open *OpError
	var module absentModule
	switch {
	case errors.As(err, &open): // it has a hint of its own
		return ""
	case errors.Is(err, errNoAnswer):
		return "it may be waiting for modprobe"
	case errors.Is(err, syscall.EPERM):
		return hintPermission
	case errors.Is(err, syscall.ESRCH):
		return "the virtual service is not in the table"
	case errors.As(err, &module):
		return "the kernel lacks module " + string(module)
	case errors.Is(err, syscall.ENOENT):
		return "the destination is not in the table"
	}
	return ""
}

// absentModule is the error for a scheduler or a persistence engine whose module the kernel could not load.
type absentModule string

// lacking names the module that the kernel lacks for s. If neither module seems to be loaded, it names both, because
// one of them may be built in.
func lacking(s lvs.Settings, hasScheduler, hasEngine bool) absentModule {
	scheduler, engine := "ip_vs_"+s.Scheduler, "ip_vs_pe_"+s.PEName
	switch {
	case s.PEName == "" || hasEngine:
		return absentModule(scheduler)
	case hasScheduler:
		return absentModule(engine)
	default:
		return absentModule(scheduler + " or " + engine)
	}
}

func (m absentModule) Error() string { return syscall.ENOENT.Error() }
func (m absentModule) Unwrap() error { return syscall.ENOENT }

const hintPermission = "this needs root, or the capability CAP_NET_ADMIN"

// IsMissing reports whether a change was refused because its virtual service, or its destination, is not in the table.
// It also returns true if the module ip_vs is not loaded. The next request tries to load it.
func IsMissing(err error) bool {
	var module absentModule
	return errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENOENT) && !errors.As(err, &module)
}
