package ipvsctl

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ldirectord/internal/lvs"
)

// Kernel is the name of the kernel's table in --ipvs.
const Kernel = "kernel"

// Access provides the Clients of one table. Each is opened by Connect or by its first request, and does not wait for
// the others. Fields that a table does not support have their zero value.
type Access struct {
	Client         // the client of the director, or of a command
	Live    Client // reads counters, for several goroutines; nil: only this process has the table
	Private Client // for the private services of a daemon's checks; nil if Live is nil
	// Connections is EachConnection, or nil if Live is nil.
	Connections func(context.Context, func(Connection) error) (skipped int, err error)
	// InOrder returns the destinations of a service in the order of the kernel's list. The field is nil if Live is
	// nil.
	InOrder func(context.Context, lvs.Key) ([]lvs.Dest, error)
	// Absent returns the reason why there is no table yet, or nil. Unlike Connect, it does not load the module. The
	// field is nil if Live is nil.
	Absent  func() error
	Machine bool // this machine forwards packets by the table, so its mark rules and addresses matter
}

// Open returns access to the table with the given name, which is a value of --ipvs: kernel, memory or memory:FILE. It
// sends no request.
func Open(name string) (Access, error) {
	if name == Kernel {
		own, private := newKernel(), newKernel()
		private.raw = true // it makes many short requests
		return Access{
			Client: own, Live: newKernel(), Private: private,
			Connections: EachConnection, InOrder: own.inOrder, Absent: absent, Machine: true,
		}, nil
	}
	if kind, _, _ := strings.Cut(name, ":"); kind != "memory" {
		return Access{}, fmt.Errorf("--ipvs %s is not allowed; it must be kernel, memory or memory:FILE", name)
	}
	return Access{Client: NewMemory(nil)}, nil
}

// absent fails if the module ip_vs is not loaded.
func absent() error {
	_, err := os.Stat("/proc/net/ip_vs")
	return err
}
