package director

import (
	"time"

	"ldirectord/notify"
)

// holds reports once that servers are held, after a checkinterval, when it is known which, and once that none is any
// more. Before is how many were held.
func (t *teller) holds(v *virtual, before int, held []int) {
	told := &v.told
	switch {
	case before == 0 && len(held) == 0:
	case before == 0:
		told.guardAt = t.now().Add(v.cfg.CheckInterval.Duration())
	case len(held) == 0 && told.guardAt.IsZero():
		t.guard(v, notify.GuardOver, "Guard is over", ": no server is held any more")
	case len(held) == 0:
		t.guard(v, notify.GuardChanged, "Guard held servers for a moment",
			": servers whose checks failed stayed in service")
	case v.untold(t.now()):
		told.guardAt = time.Time{}
		t.guard(v, notify.GuardHolds, "Guard holds", ": checks fail, and keepserving = "+
			v.cfg.KeepServing.String()+" keeps in service: "+listed(v, held))
	case told.guardAt.IsZero() && len(held) > before:
		t.guard(v, notify.GuardChanged, "Guard holds more", ": "+listed(v, held))
	}
}

// untold reports whether it is time to report that servers are held.
func (v *virtual) untold(now time.Time) bool {
	return v.holds > 0 && !v.told.guardAt.IsZero() && !now.Before(v.told.guardAt)
}

// guard reports what keepserving, or the brake of checkvip, does in a virtual service.
func (t *teller) guard(v *virtual, kind notify.Kind, does, more string) {
	t.say(v, nil, kind, does+": "+v.label()+more, "")
}

// listed are the members at these places in one line, not too many of them.
func listed(v *virtual, places []int) string {
	var names []string
	for _, i := range places {
		names = append(names, v.members[i].name())
	}
	return Listed(names)
}
