package main

import (
	"context"
	"fmt"
)

// standby starts a daemon that checks and leaves the table alone until notify promotes it. One that was
// promoted and has crashed serves on, and one that runs keeps its role.
func (a *app) standby(ctx context.Context) int {
	return a.begin(ctx, func(runs bool) error {
		_, err := a.roleFile().change(ctx, func(last order) order {
			if last.staysUp() {
				return last
			}
			return standby.to(runs)
		})
		return err
	})
}

// tellStandby says why a daemon that runs, and so is not started, does not serve.
func (a *app) tellStandby() {
	if now, err := a.roleFile().read(); err == nil && now == standby {
		fmt.Fprintln(a.stderr, "ldirectord: it runs and stands by; notify master promotes it")
	}
}

// role is what the daemon is to be at its start. One whose order can't be read serves.
func (d *daemon) role() order {
	now, err := d.roleFile().read()
	d.recorded(err)
	return now
}

// followRole carries out every order until ctx is done. It tells done of those that came after the start.
func (d *daemon) followRole(ctx context.Context, begun order, done chan<- order) {
	last := begun
	followFile(ctx, string(d.roleFile()), func() bool {
		now, err := d.roleFile().read()
		if err != nil {
			d.recorded(err)
			return true // until it is another file
		}
		if d.director.SetStandby(ctx, now == standby) != nil {
			return false
		}
		d.recorded(d.hold.follow(now))
		if now != last {
			select {
			case done <- now:
			case <-ctx.Done():
			}
		}
		last = now
		return true
	})
}
