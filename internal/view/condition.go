package view

import (
	"cmp"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// Condition is why the place of a server differs from "in the table, with its weight in the file", or what else an
// operator should know about the server. Status, page, metrics and JSON show conditions, and know nothing about kinds.
type Condition struct {
	Kind    string        `json:"kind"`
	Trouble judge.Trouble `json:"trouble"`
	Text    string        `json:"text"` // a sentence; text from servers and other programs in it is not escaped
}

// ByHand is the condition of a destination that another program or an operator has changed in the table.
var ByHand = Condition{"by hand", judge.Doubt,
	"changed externally; kept until the server's state changes, or a reload"}

// Await adds the orders that wait to the conditions of their servers.
func (now *Snapshot) Await(waiting orders.All) {
	if len(waiting) == 0 {
		return
	}
	for v, s := range now.Each() {
		o := cmp.Or(waiting[lvs.At(v.ID, s.Real)], waiting[lvs.At(v.ID, s.Alias)])
		if !o.Waits() {
			continue
		}
		text := "waiting order: "
		if !o.From.After(now.Time) {
			text = "order waits for enough servers: "
		}
		s.Conditions = append(s.Conditions, Condition{"waiting order", judge.Noted, text + o.String()})
	}
}

// NoResult is the reason given for an unknown server without another reason.
const NoResult = "no result yet"

// After returns a sentence that ends with a text; "" without a text.
func After(about, text string) string {
	if text == "" {
		return ""
	}
	return about + text
}
