package announce

import (
	"context"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"ldirectord/instance"
)

const (
	resubscribe = time.Second            // until the kernel is asked again after an error
	coalesce    = 100 * time.Millisecond // changes that follow each other are one
	anyDevice   = 0                      // no device has this index
)

// Changes reports that addresses or devices of the machine changed, also by Sync. Many changes are one report. It ends with
// ctx; the channel is not closed. Where the kernel tells nothing, nothing comes: Sync at intervals as well.
func (a *Announcer) Changes(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		for ctx.Err() == nil {
			_ = a.follow(ctx, changed) // what it missed, its next start reports
			instance.Pause(ctx, resubscribe)
		}
	}()
	return changed
}

// follow returns at the first error: also when there were more changes than the socket holds.
func (a *Announcer) follow(ctx context.Context, changed chan<- struct{}) error {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, socket.Close)
	defer socket.Close()
	defer stop()
	a.fall(anyDevice) // nobody saw what happened before
	for {
		select {
		case changed <- struct{}{}:
		default:
		}
		instance.Pause(ctx, coalesce)
		messages, _, err := socket.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if info := nl.DeserializeIfInfomsg(m.Data); m.Header.Type == unix.RTM_NEWLINK && info.Flags&unix.IFF_UP == 0 {
				a.fall(int(info.Index))
			}
		}
	}
}

// fall remembers that a device was down.
func (a *Announcer) fall(index int) {
	a.fellMu.Lock()
	defer a.fellMu.Unlock()
	a.fell[index] = true
}

// forgetFallen forgets what was placed on devices that were down: what is gone from there was not removed by hand.
func (a *Announcer) forgetFallen() {
	a.fellMu.Lock()
	defer a.fellMu.Unlock()
	for addr, index := range a.placed {
		if a.fell[index] || a.fell[anyDevice] {
			delete(a.placed, addr)
		}
	}
	clear(a.fell)
}
