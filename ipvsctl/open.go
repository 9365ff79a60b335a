package ipvsctl

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ldirectord/internal/lvs"
)

// Kernel is the kernel's table, as --ipvs names it.
const Kernel = "kernel"

// Access has the clients of one table. Connect or the first request opens each client, and none waits for another.
// Parts that a table does not have are nil.
type Access struct {
	Client         // the client of the director, or of a command
	Live    Client // reads counters, for several goroutines; nil: only this process has the table
	Private Client // for the private services of a daemon's checks; nil with Live
	// Connections is EachConnection; nil with Live.
	Connections func(context.Context, func(Connection) error) (skipped int, err error)
	// InOrder returns the destinations of a service in the order of the kernel's list; nil with Live.
	InOrder func(context.Context, lvs.Key) ([]lvs.Dest, error)
	// Absent returns why there is no table yet, although Connect would load it; nil with Live.
	Absent  func() error
	Machine bool // mark rules and addresses of this machine belong to it
}

// Open returns the table of a name that --ipvs takes: kernel, memory or memory:FILE. It sends no request.
func Open(name string) (Access, error) {
	if name == Kernel {
		own := &kernel{}
		return Access{
			Client: own, Live: &kernel{},
			Private:     &kernel{raw: true}, // there is one request for each answer
			Connections: EachConnection, InOrder: own.inOrder, Absent: absent, Machine: true,
		}, nil
	}
	if kind, _, _ := strings.Cut(name, ":"); kind != "memory" {
		return Access{}, fmt.Errorf("--ipvs %s: kernel, memory and memory:FILE are allowed", name)
	}
	return Access{Client: NewMemory(nil)}, nil
}

// absent fails if the module ip_vs is not loaded.
func absent() error {
	_, err := os.Stat("/proc/net/ip_vs")
	return err
}
