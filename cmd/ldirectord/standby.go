package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"ldirectord/instance"
)

// standby starts a daemon that checks and leaves the table alone until notify promotes it. One that was
// promoted and has crashed serves on, and one that runs keeps its role.
func (a *app) standby(ctx context.Context) int {
	return a.begin(ctx, func(runs bool) error {
		if runs {
			_, err := a.giveRole(ctx, instance.ToStayUp)
			return err
		}
		_, err := a.recordRole(ctx, instance.SinceBoot(), func(last instance.Role) instance.Role {
			if last.StaysUp() {
				return last
			}
			return instance.Standby
		})
		return err
	})
}

// tellStandby says why a daemon that runs, and so is not started, does not serve.
func (a *app) tellStandby() {
	if now, err := a.roleFile().Read(); err == nil && now.Role == instance.Standby {
		fmt.Fprintln(a.stderr, "ldirectord: it runs and stands by; notify master promotes it")
	}
}

// role is what the daemon is to be at its start. One whose order can't be read serves.
func (d *daemon) role() instance.RoleOrder {
	last, err := d.roleFile().Read()
	d.recorded(err)
	return last
}

// roleNow is the order that the daemon follows. It belongs to who has the turn.
type roleNow struct {
	instance.RoleOrder
	unsaved bool // it is not recorded
}

// changedRole is a role that the daemon took, and the files whose daemons passed it on.
type changedRole struct {
	role instance.Role
	via  []string
}

// roleAnswer is what became of an order that concerns the role.
type roleAnswer struct {
	Role    instance.Role `json:"role"`
	Unsaved string        `json:"unsaved,omitempty"` // why the next daemon will not know it
}

// answerRole carries an order out and keeps it for the next daemon, also when who gave it was killed meanwhile. One
// that ends the daemon is answered before its end.
func (d *daemon) answerRole(run, ctx context.Context, words url.Values) (any, error) {
	w := instance.RoleChange(words.Get("to"))
	if !w.IsKnown() {
		return nil, notDone(fmt.Sprintf("%q is not a role: %s, %s and %s are allowed", w, instance.ToServe, instance.ToLeave, instance.ToStayUp))
	}
	given := instance.SinceBoot()
	if ns, err := strconv.ParseInt(words.Get("given"), 10, 64); err == nil {
		given = min(given, time.Duration(ns))
	}
	type outcome struct {
		answer roleAnswer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, err := d.takeRole(run, w, given, words["via"])
		done <- outcome{answer, err}
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("it is not carried out yet: %w", context.Cause(ctx))
	}
}

// takeRole carries an order out in its turn, unless a later one came before it.
func (d *daemon) takeRole(ctx context.Context, w instance.RoleChange, given time.Duration, via []string) (roleAnswer, error) {
	release, err := d.inTurn(ctx)
	if err != nil {
		return roleAnswer{}, err
	}
	defer release()
	if given < d.now.Given {
		return roleAnswer{Role: d.now.Role}, nil
	}
	now := instance.RoleOrder{Role: w.After(d.now.Role), Given: given}
	answer := roleAnswer{Role: now.Role}
	if now.Role != d.now.Role || d.now.unsaved {
		if err := d.saveRole(now); err != nil {
			answer.Unsaved = err.Error()
		}
	}
	return answer, d.play(ctx, now, via)
}

// saveRole keeps an order for the next daemon.
func (d *daemon) saveRole(o instance.RoleOrder) error {
	err := d.roleFile().Write(o)
	if err != nil && !d.now.unsaved {
		d.recorded(err)
	}
	d.now.unsaved = err != nil
	return err
}

// play carries an order out, and tells the daemons that execute= names. It fails with ctx alone.
func (d *daemon) play(ctx context.Context, o instance.RoleOrder, via []string) error {
	before := d.now.Role
	d.now.RoleOrder = o
	if o.Role == before {
		return nil
	}
	if err := d.director.SetStandby(ctx, o.Role == instance.Standby); err != nil {
		return err
	}
	select {
	case d.roles <- changedRole{o.Role, via}:
	case <-ctx.Done():
	}
	return nil
}

// followRole carries out, until ctx is done, what a command recorded that got no answer, unless a later order came
// before it.
func (d *daemon) followRole(ctx context.Context) {
	followFile(ctx, string(d.roleFile()), func() bool {
		release, err := d.inTurn(ctx)
		if err != nil {
			return false
		}
		defer release()
		if !instance.Exists(d.hold.Role) {
			return true // lost, and no order
		}
		last, err := d.roleFile().Read()
		if err != nil {
			d.recorded(err)
			return true // until it is another file
		}
		if last.Given == 0 { // by the version before, which does not say
			last.Given = instance.SinceBoot()
		}
		if last.Given < d.now.Given {
			d.now.unsaved = d.now.Role != last.Role
			return true
		}
		d.now.unsaved = false
		return d.play(ctx, last, nil) == nil
	})
}

// keepSaving saves, until ctx is done, orders that could not be saved, and what was lost in the run folder.
func (d *daemon) keepSaving(ctx context.Context) {
	again := time.NewTicker(pollTime)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // a daemon that ends makes nothing again
			return
		}
		d.restore(ctx)
		release, err := d.inTurn(ctx)
		if err != nil {
			return
		}
		if d.now.unsaved || d.now.Role != instance.NoRole && !instance.Exists(d.hold.Role) {
			_ = d.saveRole(d.now.RoleOrder) // told before
		}
		if len(d.drains.backends) > 0 && !instance.Exists(d.hold.Drain) {
			_ = d.drainFile().write(d.drains.backends) // until it is, the file is missed
		}
		release()
	}
}

// restore makes what commands find the daemon by again, where it was lost. What fails is tried again and told by the
// commands that miss it.
func (d *daemon) restore(ctx context.Context) {
	_ = d.hold.Restore()
	if d.control != nil {
		_ = d.control.restore(ctx)
	}
}
