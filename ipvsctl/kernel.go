//go:build linux

package ipvsctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// answerTimeout is how long the kernel's answer to one request is waited for.
const answerTimeout = 10 * time.Second

// Kernel is the table of the network namespace in which it is opened. The zero Kernel is opened by its first request.
// It may be shared by goroutines: one request is under way at a time, since moby/ipvs mixes up the answers of two.
type Kernel struct {
	timeout time.Duration // for an answer; 0 for answerTimeout

	mu   sync.Mutex // guards conn
	conn *conn      // nil when the next request must open another
}

// conn is an open line to the kernel: moby/ipvs for services, our own messages for the rest.
type conn struct {
	moby moby
	genl *genl
}

// Open opens the kernel's table, after loading the module ip_vs where it is missing. A kernel without IPVS
// and missing rights are an *OpError.
func Open(ctx context.Context) (*Kernel, error) {
	k := &Kernel{}
	if err := k.request(ctx, func(*conn) error { return nil }); err != nil {
		return nil, err
	}
	return k, nil
}

// Close lets go of the kernel; the table stays as it is.
func (k *Kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop()
	return nil
}

// Read returns the whole table, see Client.
func (k *Kernel) Read(ctx context.Context) (Table, error) {
	table := make(Table)
	err := k.request(ctx, func(c *conn) error { return c.read(table) })
	if err != nil {
		return nil, &OpError{Op: "read", Err: err}
	}
	return table, nil
}

// Counters returns the counters of a service's destinations; none when the service is not there.
func (k *Kernel) Counters(ctx context.Context, key Key) (map[netip.AddrPort]Counters, error) {
	counters := make(map[netip.AddrPort]Counters)
	err := k.request(ctx, func(c *conn) error {
		return c.genl.dests(key, func(d Dest, n Counters) { counters[d.Addr] = n })
	})
	if err != nil {
		return nil, &OpError{Op: "connections of " + key.String(), Err: err}
	}
	return counters, nil
}

// Do makes one change, see Client.
func (k *Kernel) Do(ctx context.Context, op Op) error {
	if err := op.Check(); err != nil {
		return refused(op, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(k.timeout, answerTimeout), errNoAnswer)
	defer cancel()
	return refused(op, k.request(ctx, func(c *conn) error { return c.do(op) }))
}

// request lets talk have the line to the kernel, and cuts the line when ctx ends first: moby/ipvs would wait
// for a lost answer forever. After a failure of the line itself the next request gets a new one.
func (k *Kernel) request(ctx context.Context, talk func(*conn) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if k.conn == nil {
		c, err := connect(ctx, cmp.Or(k.timeout, answerTimeout))
		if err != nil {
			return openError(err)
		}
		k.conn = c
	}
	uncut := context.AfterFunc(ctx, k.conn.close)
	err := talk(k.conn)
	switch {
	case !uncut():
		k.drop()
		if err != nil {
			return context.Cause(ctx)
		}
	case lineFailed(err):
		k.drop()
	}
	return err
}

// drop closes the line; mu is held.
func (k *Kernel) drop() {
	if k.conn != nil {
		k.conn.close()
		k.conn = nil
	}
}

// lineFailed tells the line's failures from the kernel's refusals. ENOENT may be either: it also says that
// the module has been unloaded.
func lineFailed(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err != nil
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOBUFS, syscall.EAGAIN, syscall.EBADF:
		return true
	default:
		return false
	}
}

func (c *conn) close() {
	c.moby.close()
	c.genl.close()
}

func (c *conn) read(table Table) error {
	err := c.genl.services(func(s Service) error {
		table[s.Key] = s
		return nil
	})
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	for key, service := range table {
		service.Dests, err = c.dests(key)
		if err != nil {
			return fmt.Errorf("destinations of %s: %w", key, err)
		}
		table[key] = service
	}
	return nil
}

func (c *conn) dests(key Key) (map[netip.AddrPort]Dest, error) {
	dests := make(map[netip.AddrPort]Dest)
	return dests, c.genl.dests(key, func(d Dest, _ Counters) { dests[d.Addr] = d })
}

func (c *conn) do(op Op) error {
	switch op.Kind {
	case AddService, EditService:
		err := c.moby.put(op)
		if errors.Is(err, syscall.ENOENT) {
			return lacking(op.Settings, isLoaded)
		}
		return err
	case DelService:
		return c.moby.remove(op)
	case AddDest:
		return c.addDest(op)
	case EditDest:
		return c.genl.changeDest(cmdSetDest, op.Key, op.Dest)
	default:
		return c.genl.changeDest(cmdDelDest, op.Key, op.Dest)
	}
}

// isLoaded reports whether a module is in the kernel, unless it is built in.
func isLoaded(module string) bool {
	_, err := os.Stat("/sys/module/" + module)
	return err == nil
}

func (c *conn) addDest(op Op) error {
	err := c.genl.changeDest(cmdNewDest, op.Key, op.Dest)
	if errors.Is(err, syscall.EEXIST) {
		return c.genl.changeDest(cmdSetDest, op.Key, op.Dest)
	}
	return err
}
