package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"ldirectord/internal/plan"
	"ldirectord/internal/runfile"
	"ldirectord/internal/shadow"
	"ldirectord/parser"
)

// runShadow compares the table with the one that the daemon would write, until a signal arrives or the time of --for is
// over.
func runShadow(c *call) error {
	if c.table.Live == nil {
		return errors.New("shadow compares with the kernel's table; a table in memory belongs to its daemon")
	}
	if err := c.table.Absent(); err != nil { // opening the table would load the module
		return fmt.Errorf("no daemon has a table on this machine: %w", err)
	}
	var stop, cancel context.CancelFunc
	ends := []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP}
	if signal.Ignored(unix.SIGHUP) {
		ends = ends[:2] // nohup ignores HUP
	}
	c.ctx, stop = signal.NotifyContext(c.ctx, ends...)
	defer stop()
	if c.For != "" {
		d, unit, ok := parser.ParseSeconds(c.For)
		if !ok || unit == "" || d < 1 {
			return misused("--for %s: use a number with a unit, such as 90s, 30m, 2h or 1d", c.For)
		}
		c.ctx, cancel = context.WithTimeout(c.ctx, d.Duration())
		defer cancel()
	}
	if err := c.table.Connect(c.ctx); err != nil {
		return err
	}
	c.env.SetVirtuals(c.Plan)
	followed := &followedFile{c: c, inForce: c.Text}
	r, err := shadow.Run(c.ctx, shadow.Options{
		Live: c.table, Plan: c.Plan, Programs: c.WithPrograms, Changed: followed.changed, Say: c.sayNow,
		Update: c.writeReport,
	})
	if r.Ended {
		r.Print(c.out)
	}
	switch {
	case err != nil:
		return err
	case r.Virtuals == 0:
		return errors.New("nothing was compared: the table has none of the virtual services of the file")
	case r.Lasting > 0:
		return exit{status: exitFailure}
	}
	return nil
}

// writeReport writes the file that --report names.
func (c *call) writeReport(r shadow.Report) error {
	if c.Report == "" {
		return nil
	}
	text, _ := json.MarshalIndent(r, "", "  ") // strings, times and numbers can't fail
	return runfile.Save(c.Report, append(text, '\n'), 0o644)
}

// followedFile is the configuration file that a running shadow watches for changes.
type followedFile struct {
	c             *call
	inForce, seen []byte
}

// changed returns the plan of a changed file that has been stable for a second. If the file is refused, it reports
// that.
func (f *followedFile) changed() *plan.Plan {
	text, err := f.c.source().Read()
	settled := err == nil && bytes.Equal(text, f.seen)
	f.seen = text
	if !settled || bytes.Equal(text, f.inForce) {
		return nil
	}
	f.inForce = text
	if err := f.c.load(); err != nil {
		f.c.sayNow(cmp.Or(err.Error(), "The file has changed, but the new one is refused"))
		return nil
	}
	f.c.env.SetVirtuals(f.c.Plan)
	f.c.sayNow("The file has changed; the new one is compared from now on")
	return f.c.Plan
}
