package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ldirectord/director"
	"ldirectord/ipvsctl"
)

const (
	takeTime  = 5 * time.Second        // for the daemon to carry an order out
	drainLook = 200 * time.Millisecond // between two looks at a server's connections
)

// drain takes real servers out for new connections; those they have go on.
func (a *app) drain(ctx context.Context) int { return a.order(ctx, true) }

// undrain lets them back to what their checks say.
func (a *app) undrain(ctx context.Context) int { return a.order(ctx, false) }

func (a *app) order(ctx context.Context, drained bool) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	places := a.places()
	if len(places) == 0 {
		fmt.Fprintf(a.stderr, "ldirectord: %s has no real server %s\n", a.path, strings.Join(a.args, " "))
		return exitFailure
	}
	table, err := a.look(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	if table != nil {
		defer table.Close()
	}
	if err := a.carryOut(ctx, table, places, drained); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func (a *app) places() []director.Place {
	virtual, real := "", a.args[0]
	if len(a.args) == 2 {
		virtual, real = a.args[0], a.args[1]
	}
	return a.loaded.plan.Places(virtual, real)
}

// look opens the kernel's table; nil where the daemon keeps it in its own memory.
func (a *app) look(ctx context.Context) (*ipvsctl.Kernel, error) {
	if a.ipvs != defaultIPVS {
		return nil, nil
	}
	return ipvsctl.Open(ctx)
}

func (a *app) carryOut(ctx context.Context, table *ipvsctl.Kernel, places []director.Place, drained bool) error {
	if drained && !a.force {
		if err := a.leavesSomebody(ctx, table, places); err != nil {
			return err
		}
	}
	err := a.drainFile().change(ctx, func(orders map[director.Place]bool) {
		for _, p := range places {
			if drained {
				orders[p] = true
			} else {
				delete(orders, p)
			}
		}
	})
	if err != nil {
		return err
	}
	word := map[bool]string{true: "drained", false: "undrained"}[drained]
	for _, p := range places {
		fmt.Fprintf(a.stdout, "%s %s of %s\n", word, p.Real, p.Virtual)
	}
	if pid, _ := a.instance().find(); pid == 0 || table == nil || !drained {
		return nil
	}
	if err := a.await(ctx, takeTime, "the daemon does not carry it out", func() (bool, error) { return a.quiet(ctx, table, places) }); err != nil {
		return err
	}
	if !a.wait {
		return nil
	}
	return a.await(ctx, a.timeout, "connections are left", func() (bool, error) {
		left, err := a.active(ctx, table, places)
		return left == 0, err
	})
}

// leavesSomebody refuses an order that takes the last server of a virtual service.
func (a *app) leavesSomebody(ctx context.Context, table *ipvsctl.Kernel, places []director.Place) error {
	orders, err := a.drainFile().read(ctx)
	if err != nil {
		return err
	}
	gone := map[director.Place]bool{}
	for p := range orders {
		gone[p] = true
	}
	for _, p := range places {
		gone[p] = true
	}
	for _, p := range places {
		left := 0
		for _, other := range a.loaded.plan.Places(p.Virtual, "") {
			serves, err := a.serves(ctx, table, other)
			if err != nil {
				return err
			}
			if !gone[other] && serves {
				left++
			}
		}
		if left == 0 {
			return fmt.Errorf("%s is the last server of %s; --force drains it all the same", p.Real, p.Virtual)
		}
	}
	return nil
}

// serves tells whether a server gets new connections, as far as the table can be seen.
func (a *app) serves(ctx context.Context, table *ipvsctl.Kernel, p director.Place) (bool, error) {
	if table == nil {
		return true, nil
	}
	key, dest, err := a.loaded.plan.Position(p)
	if err != nil {
		return false, err
	}
	service, _, err := table.ReadService(ctx, key)
	return service.Dests[dest.Addr].Weight > 0, err
}

// quiet tells whether none of the servers gets new connections any more.
func (a *app) quiet(ctx context.Context, table *ipvsctl.Kernel, places []director.Place) (bool, error) {
	for _, p := range places {
		if serves, err := a.serves(ctx, table, p); serves || err != nil {
			return false, err
		}
	}
	return true, nil
}

// active counts the established connections of the servers.
func (a *app) active(ctx context.Context, table *ipvsctl.Kernel, places []director.Place) (n uint32, err error) {
	for _, p := range places {
		key, dest, err := a.loaded.plan.Position(p)
		if err != nil {
			return 0, err
		}
		found, err := table.Connections(ctx, key)
		if err != nil {
			return 0, err
		}
		n += found[dest.Addr].Active
	}
	return n, nil
}

// await looks until done says so, no longer than limit.
func (a *app) await(ctx context.Context, limit time.Duration, otherwise string, done func() (bool, error)) error {
	for end := time.Now().Add(limit); ; {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s after %v", otherwise, limit)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(drainLook):
		}
	}
}
