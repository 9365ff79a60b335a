package lab

import "strings"

// served makes several requests to a virtual address, and checks which servers answer.
func (l *lab) served(vip string, want ...string) {
	l.t.Helper()
	got := map[string]int{}
	for range 4 * len(want) {
		got[l.ask(vip)]++
	}
	for _, name := range want {
		if got[name] == 0 {
			l.t.Errorf("%s: %v, want answers of %s\n%s", vip, got, strings.Join(want, " and "), l.table())
			return
		}
	}
	if len(got) != len(want) {
		l.t.Errorf("%s: %v, want answers of %s only", vip, got, strings.Join(want, " and "))
	}
}
