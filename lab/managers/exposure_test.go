package managers

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/ipvsctl"
)

const (
	lookEvery = 20 * time.Millisecond
	maxLook   = 5 * lookEvery // a look that comes later counts as this: the lab was away, not the director
)

// exposure is how long a director had the virtual address and not the whole table, so that clients found it and got
// no answer. That is what the director adds to a gap; the rest is the cluster manager's.
type exposure struct {
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex // guards total
	total time.Duration
}

// watch begins to measure on both machines.
func (c *cluster) watch(t *testing.T) *exposure {
	e := &exposure{stop: make(chan struct{})}
	for _, m := range []*machine{c.d1, c.d2} {
		e.done.Go(func() {
			inside(t, m.name, func() {
				if err := e.look(); err != nil {
					t.Errorf("watching %s: %v", m.name, err)
				}
			})
		})
	}
	return e
}

// end is the time on both machines.
func (e *exposure) end() time.Duration {
	close(e.stop)
	e.done.Wait()
	return e.total
}

// look measures on the machine of this thread. It starts no process: the lab has one CPU for all.
func (e *exposure) look() error {
	kernel, err := ipvsctl.Open(context.Background())
	if err != nil {
		return err
	}
	defer kernel.Close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-e.stop:
			return nil
		case <-tick.C:
		}
		table, err := kernel.Read(context.Background())
		if err != nil {
			return err
		}
		now := time.Now()
		if hasVirtualAddress() && !strings.HasPrefix(ipvsctl.Format(table), wholeTable) {
			e.mu.Lock()
			e.total += min(now.Sub(last), maxLook)
			e.mu.Unlock()
		}
		last = now
	}
}

// hasVirtualAddress reports whether the machine of this thread has it.
func hasVirtualAddress() bool {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return false
	}
	addrs, err := eth0.Addrs()
	return err == nil && strings.Contains(strings.Join(names(addrs), " "), virtualAddress+"/")
}

func names(addrs []net.Addr) (all []string) {
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return all
}
