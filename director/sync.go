package director

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
	"ldirectord/parser"
)

// sync makes the table follow every virtual service that changed.
func (d *Director) sync(ctx context.Context) {
	now := time.Now()
	for _, v := range d.served() {
		if !v.dirty || v.retry.After(now) && !v.behind() || d.silent() || ctx.Err() != nil {
			continue
		}
		have, there, err := d.service(ctx, v.key)
		if err != nil {
			d.failed(ctx, v, err)
			continue
		}
		d.bring(ctx, v, have, there)
	}
	d.purge(ctx)
}

// bring makes one virtual service as it should be, from what the table has of it.
func (d *Director) bring(ctx context.Context, v *virtual, have ipvsctl.Service, there bool) {
	v.find(have.Dests)
	d.notice(v, have, there)
	d.release(v, have.Dests)
	want := ipvsctl.Service{Key: v.key, Settings: v.settings, Dests: v.desired(have.Dests)}
	was := ipvsctl.Table{}
	if there {
		was[v.key] = have
	}
	var refused error // the new settings were; the old ones stay, and servers follow their checks all the same
	for _, op := range ipvsctl.Diff(was, ipvsctl.Table{v.key: want}) {
		err := d.do(ctx, op)
		switch {
		case err == nil:
			d.tell(v, op)
		case op.Kind == ipvsctl.EditService && !errors.Is(err, context.DeadlineExceeded):
			refused = err
		default:
			d.failed(ctx, v, err)
			return
		}
	}
	if v.stuck = refused != nil; v.stuck {
		d.failed(ctx, v, refused)
		want.Settings = have.Settings
	} else {
		v.dirty = false
		d.succeeded(v)
	}
	d.done(v, want)
}

// done notes what the table has of a virtual service: what is wanted, but for settings that it refused.
func (d *Director) done(v *virtual, stands ipvsctl.Service) {
	v.left = &stands
	for _, s := range v.servers {
		s.moved = false
	}
	v.fallbackIn = v.fallback != nil && !v.servedBy(v.fallback.Addr) && stands.Dests[v.fallback.Addr].Weight > 0
	d.runHook(v)
	d.runOnChange(v)
}

// behind tells of a server that changed while nothing but the settings waits for another try.
func (v *virtual) behind() bool {
	return v.stuck && slices.ContainsFunc(v.servers, func(s *server) bool { return s.moved })
}

// succeeded ends what failed began.
func (d *Director) succeeded(v *virtual) {
	if v.backoff == 0 {
		return
	}
	v.backoff, v.retry, v.refused = 0, time.Time{}, ""
	d.emit(notify.Event{Kind: notify.TableRecovered, Virtual: v.cfg.ID,
		Text: fmt.Sprintf("Table changes succeed again: %s", v.name)})
}

// failed says that a change did not succeed, once until it does or the configuration is another one, and
// sets the time of the next try. One that the end of the daemon cut off is no failure.
func (d *Director) failed(ctx context.Context, v *virtual, err error) {
	v.dirty = true
	if ctx.Err() != nil {
		return
	}
	v.left = nil // half of the changes may be made: what differs next is not somebody else's doing
	told := v.refused != ""
	v.refused = err.Error()
	if !told {
		d.emit(notify.Event{Kind: notify.TableError, Virtual: v.cfg.ID, Reason: err.Error(),
			Text: fmt.Sprintf("Table change failed: %s: %v", v.name, err)})
	}
	v.backoff = min(max(v.backoff*2, firstRetry), v.cfg.CheckInterval.Duration())
	v.retry = time.Now().Add(v.backoff)
}

// nextRetry is how long until a failed change is tried again.
func (d *Director) nextRetry() (wait time.Duration, any bool) {
	purges := d.purges
	if d.marker.changing() {
		purges = nil
	}
	for _, list := range [][]*virtual{d.served(), purges} {
		for _, v := range list {
			if !v.dirty {
				continue
			}
			if w := max(time.Until(v.retry), time.Until(d.silence.until), 0); !any || w < wait {
				wait, any = w, true
			}
		}
	}
	return wait, any
}

// servedBy tells whether an address belongs to a real server that is up.
func (v *virtual) servedBy(addr netip.AddrPort) bool {
	for _, s := range v.servers {
		if s.dest.Addr == addr && s.state() == checker.Up && !s.drained {
			return true
		}
	}
	return false
}

// runHook tells the fallbackcommand when the last server goes and when the first is back.
func (d *Director) runHook(v *virtual) {
	up, known := v.available()
	state := "stop"
	if !up {
		state = "start"
	}
	if v.cfg.FallbackCommand == "" || !known || v.hook == state {
		return
	}
	v.hook = state
	address := v.name
	if v.key.Protocol == ipvsctl.Mark {
		address = ":0" // what the reference gives for a mark
	}
	line := fmt.Sprintf("%s %s %s %s", v.cfg.FallbackCommand, state, address, v.cfg.Protocol)
	d.deps.Hooks.Run(notify.Hook{Lane: v.cfg.ID, Key: v.cfg.ID, Argv: notify.Shell(line)})
}

// tell records a change of the table in the words that log watchers know.
func (d *Director) tell(v *virtual, op ipvsctl.Op) {
	e := notify.Event{Virtual: v.cfg.ID, Weight: int(op.Dest.Weight)}
	switch op.Kind {
	case ipvsctl.AddService:
		e.Kind, e.Text = notify.AddedVirtual, "Added virtual server: "+v.name
	case ipvsctl.EditService:
		e.Kind, e.Text = notify.ChangedVirtual, "Changed virtual server: "+v.name
	case ipvsctl.DelService:
		e.Kind, e.Text = notify.PurgedVirtual, fmt.Sprintf("Purged virtual server (%s): %s", v.tag, v.name)
	default:
		d.tellDest(v, op, &e)
	}
	d.emit(e)
}

func (d *Director) tellDest(v *virtual, op ipvsctl.Op, e *notify.Event) {
	s := v.serverAt(op.Dest.Addr)
	kind, name, table := "real", "", parser.FormatAddrPort(op.Dest.Addr)
	switch {
	case v.isFallback(op, s):
		kind, name, e.Fallback = "fallback", v.fallbackName, true
	case s != nil:
		name = s.name
		e.Reason = s.reason
		if s.maintenance != "" {
			e.Reason = "maintenance: " + s.maintenance
		}
	}
	down := s != nil && s.state() == checker.Down
	e.Real = table
	switch op.Kind {
	case ipvsctl.AddDest:
		e.Kind, e.Text = notify.Added, fmt.Sprintf("Added %s server: %s (%s) (Weight set to %d)", kind, name, v.name, op.Dest.Weight)
		if kind == "real" && down && d.global.ReaddQuiescent {
			e.Kind, e.Text = notify.Quiescent, fmt.Sprintf("Readd Quiescent real server: %s (%s) (Weight set to 0)", name, v.name)
		}
	case ipvsctl.EditDest:
		if kind == "real" && s != nil && s.draining() && op.Dest.Weight == 0 {
			e.Kind, e.Text = notify.Drained, fmt.Sprintf("Drained real server: %s (%s) (Weight set to 0)", tableName(table, name), v.name)
			return
		}
		e.Kind, e.Text = notify.Restored, fmt.Sprintf("Restored %s server: %s (%s) (Weight set to %d)", kind, name, v.name, op.Dest.Weight)
		if kind == "real" && down {
			e.Kind, e.Text = notify.Quiescent, fmt.Sprintf("Quiescent %s server: %s (%s) (Weight set to 0)", kind, tableName(table, name), v.name)
		}
	case ipvsctl.DelDest:
		e.Kind, e.Text = notify.Deleted, fmt.Sprintf("Deleted %s server: %s (%s)", kind, tableName(table, name), v.name)
		if s == nil && !e.Fallback {
			e.Kind, e.Text = notify.Purged, fmt.Sprintf("Purged real server (%s): %s (%s)", v.tag, table, v.name)
		}
	}
}

// isFallback tells whether a change is one of the sorry server; it may also be a real server, s.
func (v *virtual) isFallback(op ipvsctl.Op, s *server) bool {
	switch {
	case v.fallback == nil || v.fallback.Addr != op.Dest.Addr:
		return false
	case op.Kind == ipvsctl.DelDest:
		return s == nil || v.fallbackIn
	default:
		return op.Dest.Weight > 0 && !v.servedBy(op.Dest.Addr)
	}
}

// tableName is how a server is named when it goes: by the table's port, with the configured one where
// it differs.
func tableName(table, configured string) string {
	if configured == "" || table == configured {
		return table
	}
	return table + " mapped from " + configured
}

// serverAt is the real server at an address of the table, the one that is up if several share it.
func (v *virtual) serverAt(addr netip.AddrPort) *server {
	var found *server
	for _, s := range v.servers {
		if s.dest.Addr == addr && (found == nil || s.state() == checker.Up) {
			found = s
		}
	}
	return found
}
