package main

import (
	"cmp"
	"fmt"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/orders"
	"ldirectord/internal/status"
)

// listOrders lists the orders of the running daemon, both those in force and those that wait. If no daemon runs that
// takes orders, it lists the orders that the next one will follow.
func listOrders(c *call) error {
	report, err := c.orders()
	switch {
	case err != nil:
		return err
	case c.JSON:
		c.printJSON(append([]orders.Entry{}, report.Orders...))
		return nil
	}
	notice, zone := report.Zone.Notice(report.Time)
	fmt.Fprint(c.out, notice)
	t := c.newTable("VIRTUAL", "REAL SERVER", "ORDER", "SINCE", "UNTIL", "BY", "WHY")
	for _, o := range report.Orders {
		what := o.What()
		if o.Lost {
			what += " (not in the file)"
		}
		since := whenIn(zone, o.Since)
		if o.Waits() {
			since = "from " + whenIn(zone, o.From)
		}
		t.row(o.Virtual, cmp.Or(o.Real, "-"), what, since, whenIn(zone, o.Until), o.By, o.Reason())
	}
	return t.Flush()
}

// orders returns a report with the orders. If no daemon runs that takes orders, the report has nothing else.
func (c *call) orders() (*status.Report, error) {
	if found := c.found(); found.Unseen != nil || found.Pid != 0 && !found.IsPerl() {
		return c.report()
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	all, err := orders.File(c.instance().Files().Drain).Read()
	return &status.Report{Orders: status.ListOrders(all.At(time.Now()), core.SnapshotOf(c.Plan, time.Now()))}, err
}

// when formats a time in local time.
func when(t time.Time) string { return whenIn(time.Local, t) }

func whenIn(zone *time.Location, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format(time.DateTime)
}
