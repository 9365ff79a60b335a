package status

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// Fact is something that directors should agree on.
type Fact struct {
	Virtual string `json:"virtual,omitempty"` // or an announced address
	Real    string `json:"real,omitempty"`
	What    string `json:"what"` // file, version, state, weight, announced
}

// Difference is a fact on which directors disagree.
type Difference struct {
	Fact
	Values []string `json:"values"` // in the order of the directors; "-": none; "": not known
	// for each director, whether it differs from the majority; absent if there is no majority
	Odd []bool `json:"odd,omitempty"`
}

// Compare returns the facts on which directors disagree, in the order of the reports. A nil report contains no facts.
func Compare(reports []*Report) (all []Difference) {
	var order []Fact
	values := map[Fact][]string{}
	for i, r := range reports {
		for f, value := range r.facts() {
			if values[f] == nil {
				order, values[f] = append(order, f), make([]string, len(reports))
			}
			values[f][i] = value
		}
	}
	for _, f := range order {
		d := Difference{Fact: f, Values: values[f]}
		for i, r := range reports {
			if d.Values[i] = cmp.Or(d.Values[i], "-"); !r.knows(f) {
				d.Values[i] = ""
			}
		}
		known := slices.DeleteFunc(slices.Sorted(slices.Values(d.Values)),
			func(value string) bool { return value == "" })
		if len(known) > 0 && known[0] != known[len(known)-1] {
			d.Odd = minority(d.Values, known)
			all = append(all, d)
		}
	}
	return all
}

// minority reports which values differ from that of the majority. It returns nil if no value has a majority. known is
// sorted.
func minority(values, known []string) (odd []bool) {
	usual := known[len(known)/2] // if any value has a majority
	first, _ := slices.BinarySearch(known, usual)
	after, _ := slices.BinarySearch(known, usual+"\x00") // the place after all equal to it
	if 2*(after-first) <= len(known) {
		return nil
	}
	for _, value := range values {
		odd = append(odd, value != usual && value != "")
	}
	return odd
}

// knows reports whether a director can have a value of its own for a fact. A director on standby leaves the table and
// addresses alone.
func (r *Report) knows(f Fact) bool {
	return r != nil && (r.Role != "standby" || f.What != "weight" && f.What != "announced")
}

func (r *Report) facts() iter.Seq2[Fact, string] {
	return func(yield func(Fact, string) bool) {
		if r == nil {
			return
		}
		more := yield(Fact{What: "file"}, r.Sum) && yield(Fact{What: "version"}, r.Version)
		for _, v := range r.Virtuals {
			for _, s := range v.Servers {
				more = more && yield(Fact{v.ID, s.Real, "state"}, s.State)
				if s.TableWeight != nil {
					more = more && yield(Fact{v.ID, s.Real, "weight"}, fmt.Sprint(*s.TableWeight))
				}
			}
		}
		for _, a := range r.Announcements {
			more = more && yield(Fact{a.Address, "", "announced"}, a.State)
		}
	}
}
