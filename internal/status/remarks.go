package status

import (
	"fmt"
	"strings"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/view"
)

// sentences contains remarks. They may contain text from servers and other programs, which is not yet escaped.
type sentences []string

func (all *sentences) add(format string, values ...any) {
	*all = append(*all, fmt.Sprintf(format, values...))
}

// reported adds a remark that ends with the text what. If this text is empty, it adds nothing.
func (all *sentences) reported(about, what string) {
	if what != "" {
		*all = append(*all, about+what)
	}
}

// NotInForce describes why the file is not in force, and each list that is not in force. If the file is in force, its
// text is "". The result contains text from outside and must be escaped.
func (r *Report) NotInForce() (file string, lists []string) {
	what := &r.Reloads
	switch {
	case what.Missing:
		file = "the file is missing; the configuration of " + r.clock(what.Last) + " stays in force"
	case !what.LastGood.IsZero():
		file = "the last good configuration, of " + r.clock(what.LastGood) + ", is in force, not the file"
	case !what.Changed.IsZero():
		file = "the file has changed since " + r.clock(what.Changed) + " and is not in force"
	}
	if file != "" && !what.Missing {
		if what.Back != "" {
			file += "; it was taken back: " + what.Back
		}
		if what.Refusal != "" && what.Refusal != what.Error {
			file += "; it would be refused: " + what.Refusal
		}
	}
	for _, l := range what.Lists {
		lists = append(lists, fmt.Sprintf("list %s has not been used since %s: %s", l.Path,
			r.clock(l.Since), l.Error))
	}
	return file, lists
}

// Differing describes, for each virtual service (by id), the servers that differ from the others. The result contains
// text from servers and must be escaped.
func (r *Report) Differing() map[string][]string {
	all := map[string][]string{}
	for _, v := range r.Virtuals {
		for _, s := range v.Servers {
			if s.Differs != "" {
				all[v.ID] = append(all[v.ID], s.Real+" "+s.Differs)
			}
		}
	}
	return all
}

// shortageQuiet is the time without a further shortage of this machine after which shortages count as over.
const shortageQuiet = time.Minute

// Remarks describes what is wrong with the daemon as a whole, its machine or its orders, one sentence for each fault.
// The sentences contain text from servers and other programs and must be escaped.
func (r *Report) Remarks() []string {
	var all sentences
	file, lists := r.NotInForce()
	all.reported("", file)
	if !r.Reloads.Missing {
		all.reported("the last reload was refused: ", r.Reloads.Error)
	}
	all = append(all, lists...)
	if until := r.Reloads.Until; !until.IsZero() {
		all.add("unless the configuration is confirmed, the former one comes back at %s", r.clock(until))
	}
	for _, c := range r.Conditions {
		all.add("this machine: %s", c.Text)
	}
	all.reported("the table can't be read: ", r.Table.Error)
	if r.Table.Removing > 0 {
		all.add("%d virtual services that should be removed are still in the table", r.Table.Removing)
	}
	all.reported("mark rules can't be set: ", r.MarkError)
	all.reported("the maintenance folder can't be read; what was read before still applies: ", r.Folder)
	all.reported("addresses can't be announced: ", r.AnnounceError)
	for _, n := range r.Names {
		if n.Address.IsValid() { // without an address, the servers have remarks of their own
			all.add("the name %s can't be looked up; its last address %s stays in use: %s", n.Name,
				n.Address,
				n.Error)
		}
	}
	for _, f := range r.Failures {
		start, more := fmt.Sprintf("%s ago: %s", Short(r.Time.Sub(f.At)), f.Text), ""
		if f.Event == "mail-failed" || f.Event == "hook-failed" { // the message in it may be long
			start, more = printable.Cut(start, width-len("…"))
		}
		all = append(all, start+more)
	}
	for _, o := range r.Orders {
		if o.Lost {
			order := o.Order.In(r.Zone.at(r.Time))
			all.add("an order for %s, which is not in the file: %s", o.Backend, order)
		}
	}
	if r.Checks.Overdue >= 1 {
		all.add("checks are late by %s", shortSeconds(r.Checks.Overdue))
	}
	if r.Checks.Shortages > 0 && r.Time.Sub(r.Checks.Lacked) < shortageQuiet {
		all.add("%s failed because this machine lacked a resource", view.Plural(r.Checks.Shortages, "check"))
	}
	return all
}

// ServerRemarks returns a server's Facts after remarks on its other names: its address, or its host name.
func ServerRemarks(s *Server, now time.Time) []string {
	var all sentences
	all.reported("its address is ", s.Address)
	all.reported("its name is ", s.Host)
	return append(all, Facts(s, now)...)
}

// Facts returns the facts about a server other than its numbers and names. They contain text from servers and other
// programs and must be escaped.
func Facts(s *Server, now time.Time) []string {
	var all sentences
	for _, c := range s.Conditions {
		all.reported("", c.Text)
	}
	for _, c := range s.Checks {
		state := c.State
		if c.Agent && c.Check != nil {
			state = c.Check.Detail
		}
		all.add("%s: %s (%s)", c.Name, state, summary(c.Check, now))
	}
	if c := s.Check; c != nil && s.State != "up" && s.State != "fallback" {
		if !c.OK && !strings.HasSuffix(s.Reason, c.Detail) {
			all.add("last check: %s", c.Detail)
		}
		all.reported("warning: ", c.Warning)
	}
	return all
}
