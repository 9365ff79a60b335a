package status

import (
	"cmp"
	"strconv"
)

// Fact is what directors should agree on.
type Fact struct {
	Virtual string `json:"virtual,omitempty"` // or an announced address
	Real    string `json:"real,omitempty"`
	What    string `json:"what"` // file, version, state, weight, announced
}

// Difference is a fact on which directors don't agree.
type Difference struct {
	Fact
	Values []string `json:"values"` // in the order of the directors; "": not known
}

// absent is what a director does not have.
const absent = "-"

// Compare returns the facts on which directors don't agree, in the order of their reports; a nil report knows nothing.
// Weights and announcements of a director that stands by don't count.
func Compare(reports []*Report) (all []Difference) {
	var order []Fact
	values := map[Fact][]string{}
	for i, r := range reports {
		for _, f := range r.facts() {
			if values[f.Fact] == nil {
				order, values[f.Fact] = append(order, f.Fact), make([]string, len(reports))
			}
			values[f.Fact][i] = f.value
		}
	}
	for _, fact := range order {
		all = appendDifference(all, Difference{fact, values[fact]}, reports)
	}
	return all
}

// appendDifference fills in what directors don't have, and adds a fact on which they differ.
func appendDifference(all []Difference, d Difference, reports []*Report) []Difference {
	first, differ := "", false
	for i, r := range reports {
		if r == nil || r.Role == "standby" && (d.What == "weight" || d.What == "announced") {
			continue
		}
		d.Values[i] = cmp.Or(d.Values[i], absent)
		first = cmp.Or(first, d.Values[i])
		differ = differ || d.Values[i] != first
	}
	if !differ {
		return all
	}
	return append(all, d)
}

type statedFact struct {
	Fact
	value string
}

func (r *Report) facts() (all []statedFact) {
	if r == nil {
		return nil
	}
	add := func(virtual, real, what, value string) {
		all = append(all, statedFact{Fact{virtual, real, what}, value})
	}
	add("", "", "file", r.Sum)
	add("", "", "version", r.Version)
	for _, v := range r.Virtuals {
		for _, s := range v.Servers {
			add(v.ID, s.Real, "state", s.State)
			if s.TableWeight != nil && r.Role != "standby" {
				add(v.ID, s.Real, "weight", strconv.Itoa(int(*s.TableWeight)))
			}
		}
	}
	for _, a := range r.Announcements {
		if r.Role != "standby" {
			add(a.Address, "", "announced", a.State)
		}
	}
	return all
}
