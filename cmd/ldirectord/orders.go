package main

import (
	"cmp"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/orders"
	"ldirectord/internal/status"
)

// listOrders lists the orders of the running daemon, both those in force and those that wait. If no daemon runs that
// takes orders, it lists the orders that the next one will follow.
func listOrders(c *call) error {
	list, err := c.orders()
	switch {
	case err != nil:
		return err
	case c.JSON:
		c.printJSON(list)
		return nil
	}
	t := c.newTable("VIRTUAL", "REAL SERVER", "ORDER", "SINCE", "UNTIL", "BY", "WHY")
	for _, o := range list {
		what := o.What()
		if o.Lost {
			what += " (not in the file)"
		}
		since := when(o.Since)
		if o.Waits() {
			since = "from " + when(o.From)
		}
		t.row(o.Virtual, cmp.Or(o.Real, "-"), what, since, when(o.Until), o.By, o.Reason())
	}
	return t.Flush()
}

func (c *call) orders() ([]orders.Entry, error) {
	if found := c.found(); found.Unseen != nil || found.Pid != 0 && !found.IsPerl() {
		report, err := c.report()
		if err != nil {
			return nil, err
		}
		return append([]orders.Entry{}, report.Orders...), nil
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	all, err := orders.File(c.instance().Files().Drain).Read()
	return status.ListOrders(all.At(time.Now()), core.SnapshotOf(c.Plan, time.Now())), err
}

// when formats a time, such as that of an order, in local time.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}
