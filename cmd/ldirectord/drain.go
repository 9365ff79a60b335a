package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/ipvsctl"
)

// drainLook is the time between two looks at the connections of servers.
const drainLook = 200 * time.Millisecond

// drain takes real servers out for new connections; those they have go on.
func (a *app) drain(ctx context.Context) int { return a.orderDrain(ctx, true) }

// undrain lets them back to what their checks say.
func (a *app) undrain(ctx context.Context) int { return a.orderDrain(ctx, false) }

func (a *app) orderDrain(ctx context.Context, drained bool) int {
	virtual, real := a.meant()
	words := url.Values{"virtual": {virtual}, "server": {real}}
	if a.force {
		words.Set("force", "")
	}
	var answer drainAnswer
	err := a.socket().Order(ctx, takeTime, "/"+a.verb, words, &answer)
	if isUnanswered(err) {
		return a.leaveDrain(ctx, drained, err)
	}
	if err == nil {
		for _, s := range answer.Servers {
			a.tellDrained(director.Backend{Virtual: s.Virtual, Real: s.Real}, drained)
		}
		for _, id := range answer.Refusing {
			fmt.Fprintf(a.stderr, "ldirectord: warning: %s refuses the clients of a server that is drained; its scheduler does not with schedflags=sh-fallback or mh-fallback\n", id)
		}
		if drained && a.wait {
			err = a.awaitIdle(ctx, answer.Servers)
		}
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// isUnanswered reports whether nobody is known to have taken an order.
func isUnanswered(err error) bool {
	return errors.Is(err, instance.ErrNoListener) || errors.Is(err, instance.ErrEnding) || errors.Is(err, instance.ErrNoAnswer)
}

// meant is what the operator called the virtual service, "" for any, and the real server.
func (a *app) meant() (virtual, real string) {
	if len(a.args) == 2 {
		return a.args[0], a.args[1]
	}
	return "", a.args[0]
}

func (a *app) tellDrained(p director.Backend, drained bool) {
	word := map[bool]string{true: "drained", false: "undrained"}[drained]
	fmt.Fprintf(a.stdout, "%s %s of %s\n", word, p.Real, p.Virtual)
}

// leaveDrain records an order for a daemon that gives no answer, or for the next one. Who is the last server is
// judged by the file alone.
func (a *app) leaveDrain(ctx context.Context, drained bool, unanswered error) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	backends, err := a.recordDrain(ctx, drained)
	if err == nil {
		err = a.unconfirmed(unanswered)
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	for _, p := range backends {
		a.tellDrained(p, drained)
	}
	return exitOK
}

// unconfirmed is what is to be said of an order that is recorded and was not answered: nothing of a daemon of ours
// that has no such socket, which follows the file.
func (a *app) unconfirmed(unanswered error) error {
	found := a.instance().Find()
	switch {
	case found.Pid == 0 || errors.Is(unanswered, instance.ErrEnding):
		return fmt.Errorf("no daemon runs for %s: the order counts from its next start", a.path)
	case errors.Is(unanswered, instance.ErrNoAnswer):
		return fmt.Errorf("%w; the order is recorded, and the daemon with pid %d follows it as soon as it can", unanswered, found.Pid)
	case found.State.Pid == 0:
		return fmt.Errorf("the daemon with pid %d takes no orders to drain: the order counts from the next start of this program", found.Pid)
	case a.wait:
		return fmt.Errorf("the daemon with pid %d follows the order, but does not say when: --wait can't wait for it", found.Pid)
	}
	return nil
}

// recordDrain changes the orders that the daemon reads.
func (a *app) recordDrain(ctx context.Context, drained bool) ([]director.Backend, error) {
	virtual, real := a.meant()
	backends := a.loaded.plan.Backends(virtual, real)
	if len(backends) == 0 {
		return nil, errors.New(noSuchServer(a.path, virtual, real))
	}
	lock, err := a.instance().LockFolder(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	orders, err := a.drainFile().read()
	if err != nil {
		return nil, err
	}
	all := changed(orders, backends, drained)
	if drained && !a.force {
		if err := a.leavesSomebody(backends, all); err != nil {
			return nil, err
		}
	}
	return backends, a.drainFile().write(all)
}

// leavesSomebody refuses orders that leave a virtual service without a server.
func (a *app) leavesSomebody(backends []director.Backend, drained map[director.Backend]bool) error {
	left := map[string]int{}
	for _, p := range a.loaded.plan.Backends("", "") {
		if !drained[p] {
			left[p.Virtual]++
		}
	}
	for _, p := range backends {
		if left[p.Virtual] == 0 {
			return errors.New(lastServer(p))
		}
	}
	return nil
}

// awaitIdle waits until the servers have no connection any more, as far as the table can be seen.
func (a *app) awaitIdle(ctx context.Context, servers []meantServer) error {
	if a.ipvs != defaultIPVS {
		return nil
	}
	table, err := ipvsctl.Open(ctx)
	if err != nil {
		return err
	}
	defer table.Close()
	for end := time.Now().Add(a.timeout); ; {
		left, err := established(ctx, table, servers)
		if left == 0 || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("connections are left after %v", a.timeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(drainLook):
		}
	}
}

// established counts the established connections of servers, with one reading of each virtual service.
func established(ctx context.Context, table *ipvsctl.Kernel, servers []meantServer) (n uint32, err error) {
	read := map[ipvsctl.Key]map[netip.AddrPort]ipvsctl.Counters{}
	for _, s := range servers {
		found, known := read[s.Key]
		if !known {
			if found, err = table.Counters(ctx, s.Key); err != nil {
				return 0, err
			}
			read[s.Key] = found
		}
		n += found[s.Addr].Active
	}
	return n, nil
}

// look opens the kernel's table; nil where the daemon keeps it in its own memory.
func (a *app) look(ctx context.Context) (*ipvsctl.Kernel, error) {
	if a.ipvs != defaultIPVS {
		return nil, nil
	}
	return ipvsctl.Open(ctx)
}
