package status

import (
	"fmt"
	"slices"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// reportOf has a server with a state and a weight, -1 for none, and an announced address.
func reportOf(sum, role, state string, weight int, announced string) *Report {
	s := view.Server{Real: "web1:80", State: state}
	if weight >= 0 {
		w := uint32(weight)
		s.TableWeight = &w
	}
	r := &Report{Sum: sum, Version: "1.0", Role: role,
		Virtuals: []Virtual{{ID: "fwm:3", Servers: []view.Server{s}}}}
	if announced != "" {
		r.Announcements = []Announcement{{Address: "192.0.2.10", State: announced}}
	}
	return r
}

func TestDirectorsAreCompared(t *testing.T) {
	one := reportOf("aa", "active", "up", 1, "announced")
	newer := reportOf("aa", "active", "up", 1, "announced")
	newer.Version = "1.1"
	more := reportOf("aa", "active", "up", 1, "announced")
	more.Virtuals = append(more.Virtuals, Virtual{ID: "fwm:4",
		Servers: []view.Server{{Real: "web2:80", State: "up"}}})
	for name, c := range map[string]struct {
		reports []*Report
		want    []string
	}{
		"none":          {nil, nil},
		"one":           {[]*Report{one}, nil},
		"equal":         {[]*Report{one, one, one}, nil},
		"one is silent": {[]*Report{one, nil, one}, nil},
		"all silent":    {[]*Report{nil, nil}, nil},
		"file": {[]*Report{one, reportOf("bb", "active", "up", 1, "announced")},
			[]string{"  file [aa bb]"}},
		"an older one": {[]*Report{one, reportOf("", "active", "up", 1, "announced")},
			[]string{"  file [aa -]"}},
		"version": {[]*Report{one, nil, newer}, []string{"  version [1.0  1.1]"}},
		"state and weight": {[]*Report{one, reportOf("aa", "active", "down", -1, "announced")},
			[]string{"fwm:3 web1:80 state [up down]", "fwm:3 web1:80 weight [1 -]"}},
		"weight 0 is not absent": {[]*Report{reportOf("aa", "active", "up", -1, "announced"),
			reportOf("aa", "active", "up", 0, "announced")},
			[]string{"fwm:3 web1:80 weight [- 0]"}},
		"announced": {[]*Report{one, reportOf("aa", "active", "up", 1, "withdrawn")},
			[]string{"192.0.2.10  announced [announced withdrawn]"}},
		"not announced": {[]*Report{reportOf("aa", "active", "up", 1, ""), one},
			[]string{"192.0.2.10  announced [- announced]"}},
		"standby":               {[]*Report{reportOf("aa", "standby", "up", -1, "withdrawn"), one, one}, nil},
		"standby with a server": {[]*Report{reportOf("aa", "standby", "up", 0, ""), one}, nil},
		"standby that differs": {[]*Report{one, reportOf("aa", "standby", "down", -1, "")},
			[]string{"fwm:3 web1:80 state [up down]"}},
		"one of three":         {[]*Report{one, newer, one}, []string{"  version [1.0 1.1* 1.0]"}},
		"two of four":          {[]*Report{newer, one, newer, one}, []string{"  version [1.1 1.0 1.1 1.0]"}},
		"one of two, of three": {[]*Report{nil, newer, one}, []string{"  version [ 1.1 1.0]"}},
		"two of five": {[]*Report{one, newer, one, reportOf("", "active", "up", 1, "announced"), one},
			[]string{"  file [aa aa aa -* aa]", "  version [1.0 1.1* 1.0 1.0 1.0]"}},
		"a server of one alone": {[]*Report{one, more}, []string{"fwm:4 web2:80 state [- up]"}},
	} {
		var got []string
		for _, d := range Compare(c.reports) {
			values := slices.Clone(d.Values)
			for i, odd := range d.Odd {
				if odd {
					values[i] += "*"
				}
			}
			got = append(got, fmt.Sprintf("%s %s %s %v", d.Virtual, d.Real, d.What, values))
		}
		testkit.Same(t, got, c.want, name)
	}
}
