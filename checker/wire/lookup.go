package wire

import (
	"context"
	"net"
	"net/netip"
	"time"

	"ldirectord/internal/resolve"
)

// resolver looks up names for all checks. Simultaneous look-ups of one name share a query. Without StrictErrors, if a
// name's look-up failed but the name did not exist in a search domain, the name would count as nonexistent.
var resolver = &net.Resolver{PreferGo: true, StrictErrors: true, Dial: resolve.DialServer}

// maxNames is how many names Names keeps. Without a limit, a server that redirects to a new name each time would fill
// the memory.
const maxNames = 16

// Names looks up host names for one check, and keeps their last addresses.
type Names struct{ last map[string][]netip.Addr }

// Resolve returns the addresses of a host name: those of the family that ipv6 chooses or, if there are none, those of
// the other family. If the name servers fail, it returns the last addresses. A literal address needs no look-up.
func (n *Names) Resolve(ctx context.Context, host string, ipv6 bool, timeout time.Duration) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	w, last := WatchOf(ctx), n.last[host]
	until := w.End(timeout)
	if last != nil { // the server gets the rest of the time
		until = time.Now().Add(time.Until(until) / 2)
	}
	addrs, err := lookUp(ctx, host, ipv6, until)
	if err != nil && (last == nil || !IsShortage(err)) {
		return nil, NewFault(err, "look-up of %s failed: %s", Show(host), lookupReason(err))
	}
	w.Mark(MarkLookup)
	if err != nil {
		w.Remark("look-up of %s failed: %s; it had %v", host, lookupReason(err), last)
		return last, nil
	}
	w.Remark("%s has %v", host, addrs)
	if n.last == nil || len(n.last) == maxNames && last == nil {
		n.last = map[string][]netip.Addr{}
	}
	n.last[host] = addrs
	return addrs, nil
}

// lookUp looks up a name in the family that ipv6 chooses. If the name has no address there, it tries the other family.
func lookUp(ctx context.Context, host string, ipv6 bool, until time.Time) ([]netip.Addr, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	family, other := "ip4", "ip6"
	if ipv6 {
		family, other = other, family
	}
	addrs, err := resolver.LookupNetIP(ctx, family, host)
	if err != nil && !IsShortage(err) {
		addrs, err = resolver.LookupNetIP(ctx, other, host)
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, err
}
