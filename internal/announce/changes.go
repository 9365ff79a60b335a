package announce

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"time"

	"ldirectord/internal/runfile"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// eventBuffer is the size of the socket's buffer for unread changes, in bytes. It is enough for a few thousand
// addresses.
const eventBuffer = 4 << 20

// Changes reports changes of the machine's addresses and devices, including those that Sync makes. It stops when ctx
// ends, without closing the channel. Missed changes are reported later as one change.
func (a *Announcer) Changes(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		for ; ctx.Err() == nil; runfile.Pause(ctx, time.Second) { // after an error
			a.follow(ctx, changed)
		}
	}()
	return changed
}

// follow reports changes until an error occurs, for example because the socket can't hold all changes.
func (a *Announcer) follow(ctx context.Context, changed chan<- struct{}) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR,
		unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return
	}
	defer socket.Close()
	defer context.AfterFunc(ctx, socket.Close)()
	defer a.forget(func(int) bool { return true }) // it is unknown which devices went down
	_ = socket.SetReceiveBufferSize(eventBuffer, true)
	for err == nil {
		select {
		case changed <- struct{}{}:
		default:
		}
		runfile.Pause(ctx, 100*time.Millisecond) // changes during this time become one report
		for err = a.receive(socket, 0); err == nil; {
			err = a.receive(socket, time.Millisecond) // until no more changes are waiting
		}
		if os.IsTimeout(err) {
			err = nil
		}
	}
}

// receive waits for one change: at most for the duration wait, or without a limit if wait is 0. If the change is that a
// device went down, receive calls forget.
func (a *Announcer) receive(socket *nl.NetlinkSocket, wait time.Duration) error {
	timeout := unix.NsecToTimeval(wait.Nanoseconds())
	_ = socket.SetReceiveTimeout(&timeout) // it can't fail
	messages, _, err := socket.Receive()
	for _, m := range messages {
		if m.Header.Type == unix.RTM_NEWLINK {
			link := nl.DeserializeIfInfomsg(m.Data)
			a.forget(func(on int) bool { return on == int(link.Index) && link.Flags&unix.IFF_UP == 0 })
		}
	}
	return err
}

// forget drops the IPv6 addresses of devices that went down, so that they do not count as removed by hand. The kernel
// itself removes them. IPv4 addresses stay.
func (a *Announcer) forget(isDown func(device int) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.placed, func(addr netip.Addr, on int) bool { return addr.Is6() && isDown(on) })
}
