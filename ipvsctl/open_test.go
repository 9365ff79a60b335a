package ipvsctl

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"

	"ldirectord/internal/testkit"
)

func TestATableIsOpenedByItsName(t *testing.T) {
	for _, name := range []string{"memory", "memory:/run/table", "memory:"} {
		table, err := Open(name)
		if err != nil || table.Connect(t.Context()) != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if table.Live != nil || table.Private != nil || table.Connections != nil || table.Absent != nil ||
			table.Machine {
			t.Errorf("%s has more than a table of its own: %+v", name, table)
		}
		testkit.Equal(t, len(testkit.Must(table.Read(t.Context()))(t)), 0, name)
	}
	table, err := Open(Kernel)
	if err != nil || table.Live == nil || table.Connections == nil || !table.Machine {
		t.Fatalf("%+v, %v", table, err)
	}
	// each client has a lock of its own, so status waits for no request of the director's
	if table.Client == table.Live || table.Client == table.Private || table.Live == table.Private {
		t.Error("one client for several goroutines that would wait for each other")
	}
	if !table.Private.(*kernel).raw || table.Live.(*kernel).raw || table.Client.(*kernel).raw {
		t.Error("raw is for the private services, for each of which there is a request")
	}
	_, there := os.Stat("/proc/net/ip_vs")
	if err := table.Absent(); (err == nil) != (there == nil) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v, there: %v", err, there)
	}
	for _, name := range []string{"", "Kernel", "kernel:", "memory2", "file:/run/table"} {
		testkit.Fails(t, testkit.Error(Open(name)),
			"--ipvs "+name+" is not allowed; it must be kernel, memory or memory:FILE", name)
	}
}

// After the context has ended, no request is sent to the kernel.
func TestNoTableIsOpenedForWhatHasEnded(t *testing.T) {
	ended := testkit.Ended(t)
	table, _ := Open(Kernel)
	if err := table.Connect(ended); !errors.Is(err, context.Canceled) || table.Close() != nil {
		t.Errorf("%v", err)
	}
}
