package judge

import "cmp"

// With comeback = order, a server that checks took out stays out until an operator lets it back in, or too few others
// serve.

// From comeback: a server that failed waits for an order.
var comebackRule = Rule{"comeback", false, awaitOrder}

var comebackKind = Kind{Name: "comeback", Trouble: Doubt, delays: byOrder,
	Says: func(v View) string {
		if !v.One.Waits() || !byOrder(v.Section, v.One) {
			return ""
		}
		text := "held down until an order (set … ready): comeback = order"
		if v.One.Suspect {
			text += "; " + noAnswers(v.One)
		}
		return text
	},
	Count: func(v View) int {
		// Name is Up only after a decision
		if v.One.Name != Up || !v.One.Waits() || !byOrder(v.Section, v.One) {
			return 0
		}
		return 1
	},
	Begins: func(View) Notice {
		return Notice{"held-down", "Held down until an order (set … ready)", ": comeback = order"}
	},
}

// awaitOrder keeps out the servers that wait for an order. The rule queue lets them in if they are needed.
func awaitOrder(p *proposal) {
	for s := range p.all() {
		if s.Waits() && byOrder(p.Section, s) {
			s.Why = cmp.Or(s.Why, p.by)
		}
	}
}
