package announce

import (
	"context"
	"maps"
	"net/netip"
	"time"

	"ldirectord/internal/runfile"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Changes reports changes of the machine's addresses and devices, including those by Sync. It ends with ctx; the
// channel is not closed. Missed changes are reported later as one change.
func (a *Announcer) Changes(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		for ; ctx.Err() == nil; runfile.Pause(ctx, time.Second) { // after an error
			a.follow(ctx, changed)
		}
	}()
	return changed
}

// follow returns at the first error, including more changes than the socket holds.
func (a *Announcer) follow(ctx context.Context, changed chan<- struct{}) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR,
		unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return
	}
	defer socket.Close()
	defer context.AfterFunc(ctx, socket.Close)()
	for {
		select {
		case changed <- struct{}{}:
		default:
		}
		runfile.Pause(ctx, 100*time.Millisecond) // changes in the meantime are one report
		messages, _, err := socket.Receive()
		if err != nil {
			return
		}
		for _, m := range messages {
			if m.Header.Type == unix.RTM_NEWLINK && nl.DeserializeIfInfomsg(m.Data).Flags&unix.IFF_UP == 0 {
				a.forget(int(nl.DeserializeIfInfomsg(m.Data).Index))
			}
		}
	}
}

// forget drops the addresses of a device that went down: the kernel then removes IPv6 addresses, so no one removed them
// by hand. IPv4 addresses stay.
func (a *Announcer) forget(index int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.placed, func(addr netip.Addr, on int) bool { return addr.Is6() && on == index })
}
