package director

import (
	"context"
	"fmt"
	"net/netip"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
)

// look compares the table with how it was left, and mends what somebody else changed: whole virtual
// services always, real servers as repair says.
func (d *Director) look(ctx context.Context) {
	if d.silent() {
		return
	}
	table, err := d.read(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		d.blind(err)
		return
	}
	d.sighted()
	for _, v := range d.served() {
		have, there := table[v.key]
		if v.left == nil || v.dirty || there && same(*v.left, have) || d.silent() {
			continue
		}
		d.bring(ctx, v, have, there)
	}
}

// blind says, once for each reason, that the table can't be read; sighted, that it can again.
func (d *Director) blind(err error) {
	if d.unread == err.Error() {
		return
	}
	d.unread = err.Error()
	d.emit(notify.Event{Kind: notify.TableError, Reason: err.Error(), Text: fmt.Sprintf("Table can't be read: %v", err)})
}

func (d *Director) sighted() {
	if d.unread == "" {
		return
	}
	d.unread = ""
	d.emit(notify.Event{Kind: notify.TableRecovered, Text: "Table can be read again"})
}

// notice tells what somebody else changed since the service was left, once, and lets it stand where it
// may: a change by hand stays until that server's next transition or a reload, but never against a file
// in maintenancedir.
func (d *Director) notice(v *virtual, have ipvsctl.Service, there bool) {
	if v.left == nil {
		return
	}
	if !there {
		d.byHand(v, "", "the virtual service is gone, it is put back")
		clear(v.held)
		v.left = nil
		return
	}
	if have.Settings != v.left.Settings {
		d.byHand(v, "", "the virtual service was changed, it is set right")
	}
	for _, addr := range differing(v.left.Dests, have.Dests) {
		d.noticeDest(v, have, addr)
	}
	v.left.Dests = have.Dests
}

func (d *Director) noticeDest(v *virtual, have ipvsctl.Service, addr netip.AddrPort) {
	what := "is gone"
	dest, in := have.Dests[addr]
	if in {
		what = fmt.Sprintf("has weight %d", dest.Weight)
		if _, was := v.left.Dests[addr]; !was {
			what = "was added"
		}
	}
	if !v.found[addr] && (v.cfg.Repair || v.keptOut(addr) && (in || d.global.ReaddQuiescent)) {
		d.byHand(v, addr.String(), what+", it is set right")
		delete(v.held, addr)
		return
	}
	v.held[addr] = true
	d.byHand(v, addr.String(), what+", which stands until its next change of state or a reload")
}

// release ends what was done by hand to servers whose state has changed, and to the sorry server. A server
// that went down and was removed by hand stays away, unless it is to be quiescent again (readdquiescent).
func (d *Director) release(v *virtual, have dests) {
	for _, s := range v.servers {
		if !s.moved || !v.held[s.dest.Addr] {
			continue
		}
		_, in := have[s.dest.Addr]
		if s.state() == checker.Down && !in && !d.global.ReaddQuiescent {
			continue
		}
		delete(v.held, s.dest.Addr)
	}
	v.releaseFallback()
}

// releaseFallback ends what was done by hand to the sorry server as soon as it is wanted, or is not any more.
func (v *virtual) releaseFallback() {
	up, known := v.available()
	if v.fallback == nil || !known {
		return
	}
	wanted := v.wantsFallback(up, false, nil)
	if wanted != v.fallbackWanted {
		delete(v.held, v.fallback.Addr)
	}
	v.fallbackWanted = wanted
}

// keptOut reports whether a file in maintenancedir keeps the server at an address out. It is an order that
// stands, so a change by hand does not.
func (v *virtual) keptOut(addr netip.AddrPort) bool {
	s := v.serverAt(addr)
	return s != nil && s.maintenance != ""
}

func (d *Director) byHand(v *virtual, real, what string) {
	text := fmt.Sprintf("Changed by hand: %s: %s", v.name, what)
	if real != "" {
		text = fmt.Sprintf("Changed by hand: %s (%s) %s", real, v.name, what)
	}
	d.emit(notify.Event{Kind: notify.ChangedByHand, Virtual: v.cfg.ID, Real: real, Text: text})
}

func same(a, b ipvsctl.Service) bool {
	return a.Settings == b.Settings && len(differing(a.Dests, b.Dests)) == 0
}

// differing are the addresses at which two sets of destinations are not the same.
func differing(a, b dests) (addrs []netip.AddrPort) {
	for addr, dest := range a {
		if other, ok := b[addr]; !ok || other != dest {
			addrs = append(addrs, addr)
		}
	}
	for addr := range b {
		if _, ok := a[addr]; !ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
