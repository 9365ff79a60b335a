package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"ldirectord/internal/daemon"
	"ldirectord/internal/doctor"
	"ldirectord/internal/fwmark"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/ipvsctl"
)

// showPlan shows what the configuration would change. It shows changes to the table and to the timeouts as ipvsadm
// commands, and changes to the mark rules as iptables commands. Then it shows the addresses that would be announced or
// withdrawn, as if all services were healthy. Orders are taken into account.
func showPlan(c *call) error {
	if err := c.loadAndAdvise(); err != nil {
		return err
	}
	if err := c.accept(); err != nil {
		return err
	}
	given, err := orders.File(c.instance().Files().Drain).Current()
	if errors.Is(err, fs.ErrPermission) {
		c.note("orders are left out: this user can't read them")
	} else if err != nil {
		return err
	}
	given = given.InForce()
	if c.supposing.any() {
		return suppose(c, given)
	}
	have, commands, err := machine(c, given)
	if err != nil {
		return err
	}
	had := c.instance().NotOthers(c.found().State.Virtuals)
	ops := c.tableChanges(given, have, had)
	noteOrigins(c, ops)
	changes := c.planned(ops, had)
	for _, command := range commands {
		changes = append(changes, change{Command: command})
	}
	return showChanges(c, changes)
}

// tableChanges returns the changes to the table. Of the virtual services that the running daemon has, those that left
// the file are removed.
func (c *call) tableChanges(given orders.All, have lvs.Table, had []lvs.Key) []lvs.Op {
	stays := c.Plan.Keys()
	leaves := func(k lvs.Key) bool { return slices.Contains(had, k) && !slices.Contains(stays, k) }
	return slices.Concat(lvs.Diff(have, c.Plan.Preview(given, have)), removals(have, leaves))
}

// removals returns the operations that remove those virtual services of the table for which leaves is true.
func removals(have lvs.Table, leaves func(lvs.Key) bool) (ops []lvs.Op) {
	for _, key := range have.Keys() {
		if leaves(key) {
			ops = append(ops, lvs.Op{Kind: lvs.DelService, Key: key})
		}
	}
	return ops
}

// noteOrigins adds notes about servers whose addresses are not known yet, and about changed services that use a shared
// block.
func noteOrigins(c *call, ops []lvs.Op) {
	for _, v := range c.Config.Virtuals {
		for _, w := range v.Waiting {
			c.note("%s of %s is unknown: %s; a reload that adds this name removes no server there",
				w.Name, v.ID, plan.NoAddress(w))
		}
	}
	for _, v := range c.Config.Virtuals {
		isOf := func(op lvs.Op) bool { return op.Key == v.Key }
		if v.Use != "" && slices.ContainsFunc(ops, isOf) {
			c.note("%s uses the %s", v.ID, c.Config.Taken(v))
		}
	}
}

// change is a change that a configuration makes, written as a command.
type change struct {
	Command string `json:"command"`
	When    string `json:"when,omitempty"`  // "" for at once
	Error   string `json:"error,omitempty"` // why it can't be made
}

// showChanges shows changes. With --exit-code, the exit status shows whether there are any.
func showChanges(c *call, changes []change) error {
	if c.answer != nil {
		c.answer["changes"] = changes
	} else {
		printChanges(c, changes)
	}
	if c.ExitCode && len(changes) > 0 {
		return exit{status: exitChanges}
	}
	return nil
}

func printChanges(c *call, changes []change) {
	for _, one := range changes {
		switch {
		case one.Error != "":
			c.tell("# not made: %s: %s", one.Command, one.Error)
		case one.When != "":
			c.tell("%s   # %s", one.Command, one.When)
		default:
			c.tell("%s", one.Command)
		}
	}
	if len(changes) == 0 {
		c.tell("# nothing to change")
	}
}

// planned returns the changes to the table, and when each of them is made. If a virtual service can't be set up, it
// leaves out the changes within that service. had lists the virtual services of the running daemon.
func (c *call) planned(ops []lvs.Op, had []lvs.Key) []change {
	changes, missing, services := []change{}, map[lvs.Key]bool{}, map[lvs.Key]*plan.Service{}
	for _, s := range c.Plan.Services {
		services[s.Key()] = s
	}
	for _, op := range ops {
		if missing[op.Key] {
			continue
		}
		one := change{Command: op.String()}
		switch err := ipvsctl.Check(op); {
		case err != nil:
			missing[op.Key] = op.Kind == lvs.AddService
			one.Error = err.Error()
		case op.Kind == lvs.AddDest, returns(services[op.Key], op):
			one.When = "after its first successful check"
		case op.Kind == lvs.DelDest && slices.Contains(had, op.Key) && drains(services[op.Key], op.Dest):
			if first := op; op.Dest.Weight > 0 {
				first.Kind, first.Dest.Weight = lvs.EditDest, 0
				changes = append(changes, change{Command: first.String()})
			}
			one.When = fmt.Sprintf("when its connections have ended, after %gs at the latest",
				services[op.Key].Section.DrainTime.Seconds())
		}
		changes = append(changes, one)
	}
	return changes
}

// returns reports whether a change brings back a server that checks took out, and that stayed with weight 0.
func returns(s *plan.Service, op lvs.Op) bool {
	rises := op.Kind == lvs.EditDest && op.Old.Weight == 0 && op.Dest.Weight > 0
	return rises && (s.Section.Quiescent || s.Section.OnFail.Stays())
}

// drains reports whether a server that is removed drains first: it has left the file, and draintime is set.
func drains(s *plan.Service, server lvs.Dest) bool {
	isSame := func(e *plan.Entry) bool { return e.Dest.Addr == server.Addr }
	return s.Section.DrainTime > 0 && !slices.ContainsFunc(s.Entries, isSame)
}

// machine reads the table that the configuration would change, and returns it with the commands for timeouts and mark
// rules and the changes of addresses. With --ipvs memory, the table is inside the running daemon. plan then compares
// the configuration with an empty table, and shows no other changes. It does the same if the kernel has no IPVS.
func machine(c *call, given orders.All) (have lvs.Table, commands []string, err error) {
	if c.table.Live == nil {
		c.note("compared with an empty table: a table in memory belongs to its daemon")
		return nil, nil, nil
	}
	err = c.table.Connect(c.ctx)
	if errors.Is(err, syscall.ENOENT) {
		c.note("compared with an empty table: the kernel has no IPVS")
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if have, err = c.table.Read(c.ctx); err != nil {
		return nil, nil, fmt.Errorf("reading the table: %w", err)
	}
	rules, err := fwmark.Open(c.instance().Chains()).Preview(c.ctx, c.Plan.Rules())
	if err != nil {
		return nil, nil, fmt.Errorf("reading the mark rules: %w", err)
	}
	wanted := doctor.Wanted(c.Plan.Services)
	for i := range wanted {
		if w := &wanted[i]; given.Withdrawal(w.Addr).Kind != "" {
			w.Device, w.Local = "", true // the virtual service continues to serve
		}
	}
	idle, err := c.table.Timeouts(c.ctx, lvs.Timeouts{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the timeouts: %w", err)
	}
	if now := c.Config.Global.Timeouts.Over(idle); now != idle {
		commands = []string{fmt.Sprintf("ipvsadm --set %d %d %d", now[0], now[1], now[2])}
	}
	addresses, err := daemon.Announcements(c.instance()).Preview(wanted)
	return have, slices.Concat(commands, rules, addresses), err
}
