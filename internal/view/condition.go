package view

import (
	"cmp"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// Condition is something that an operator should know about a server, a virtual service or this machine, such as the
// reason why a server is not in the table with the weight from the file. Status, page, metrics and JSON show all
// conditions in the same way, whatever their kind.
type Condition struct {
	Kind    string        `json:"kind"`
	Trouble judge.Trouble `json:"trouble"`
	Text    string        `json:"text"` // in words; text from servers and other programs in it is not escaped
}

// ByHand is the condition of a destination that another program or an operator has changed in the table.
var ByHand = Condition{"by hand", judge.Doubt,
	"changed externally; kept until a reload or a change of the server's state"}

// Await adds a condition to each server for which an order is waiting.
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

// NoResult is the reason that is shown for an unknown server if there is no other reason.
const NoResult = "no result yet"

// After puts the prefix about before a text. It returns "" if the text is empty.
func After(about, text string) string {
	if text == "" {
		return ""
	}
	return about + text
}
