package status

import (
	"fmt"
	"strings"

	"ldirectord/view"
)

// sectionKind is a kind of condition of a virtual service. Says is its sentence; "" while it does not hold. It contains
// text from servers and other programs: escape it.
type sectionKind struct {
	name    string
	trouble Trouble
	says    func(*Virtual) string
}

// sectionKinds are all kinds, in the order in which they are shown.
var sectionKinds = [...]sectionKind{
	{"refused", Broken, func(v *Virtual) string { return view.After("the table refuses it: ", v.Error) }},
	{"elsewhere", Fine, func(v *Virtual) string {
		if v.Owner == "" {
			return ""
		}
		return "belongs to " + v.Owner + "; this daemon only checks, and takes over when that one leaves"
	}},
	{"shared", Fine, func(v *Virtual) string { return view.After("it also belongs to ", v.Beside) }},
	{"obeyed", Noted, func(v *Virtual) string {
		if !v.Guard.Obeys {
			return ""
		}
		_, none := v.holders()
		return "by order, until every server is up: " + none + " server" + v.Order.Remark("; order: ")
	}},
	{"held", Noted, func(v *Virtual) string {
		g := &v.Guard
		by, _ := v.holders()
		switch {
		case g.Obeys || g.Held == 0:
			return ""
		case g.Paced:
			return fmt.Sprintf("%d fail but stay in service until %s releases them", g.Held, by)
		}
		return fmt.Sprintf("keepserving holds %d in service although their checks fail: the minimum is %d",
			g.Held, g.Keeps)
	}},
	{"all full", Broken, func(v *Virtual) string {
		return when(v.Full, "all servers in service are full: new clients are refused")
	}},
	{"nothing serves", Broken, func(v *Virtual) string {
		if !v.Nothing {
			return ""
		}
		fallback := "there is no fallback"
		if v.Fallback != nil {
			fallback = "the fallback stays out"
		}
		return "no server serves, and " + fallback + ": clients get nothing"
	}},
	{"no weight", Broken, func(v *Virtual) string {
		return when(v.Nothing && v.Up() > 0, "the servers that pass have weight 0, which keeps a fallback out")
	}},
	{"fallback fails", Doubt, func(v *Virtual) string {
		if v.Fallback == nil || v.Fallback.State != "down" {
			return ""
		}
		return view.After("the fallback "+v.Fallback.Server+" fails: ", v.Fallback.Reason)
	}},
	{"by hand", Doubt, func(v *Virtual) string {
		if v.Added == nil {
			return ""
		}
		return "added externally: " + strings.Join(v.Added, ", ") + "; kept until a reload"
	}},
}

// holders are the directives that may hold servers, and that they hold none, in words.
func (v *Virtual) holders() (by, none string) {
	switch g := &v.Guard; {
	case g.Paced && g.Keeps > 0:
		return "paceout or keepserving", "neither keepserving nor paceout holds a"
	case g.Paced:
		return "paceout", "paceout holds no"
	case g.Keeps > 0:
		return "keepserving", "keepserving holds no"
	}
	return "checkvip", "checkvip holds no"
}

// conditions are those of a virtual service that hold.
func (v *Virtual) conditions() (list []view.Condition) {
	for i := range sectionKinds {
		k := &sectionKinds[i]
		if says := k.says(v); says != "" {
			list = append(list, view.Condition{Kind: k.name, Trouble: k.trouble, Text: says})
		}
	}
	return list
}

// Remarks are the sentences of its conditions. They contain text from servers and other programs: escape it.
func (v *Virtual) Remarks() (all []string) {
	for _, c := range v.conditions() {
		all = append(all, c.Text)
	}
	return all
}

// Trouble is that of a virtual service. It is broken only where no server serves, or the table refuses it.
func (v *Virtual) Trouble() Trouble {
	worst := Fine
	for _, r := range v.Rows() {
		worst = max(worst, min(r.Trouble, Doubt))
	}
	if v.Serving == 0 && worst > Fine {
		return Broken
	}
	for _, c := range v.conditions() {
		worst = max(worst, c.Trouble)
	}
	return worst
}

// when is a sentence while it holds.
func when(holds bool, says string) string {
	if !holds {
		return ""
	}
	return says
}
