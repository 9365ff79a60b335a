package status

import (
	"cmp"
	"fmt"
	"iter"
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
		known, having := 0, map[string]int{} // how many directors have each value
		for i, r := range reports {
			if !r.knows(f) {
				d.Values[i] = ""
				continue
			}
			d.Values[i] = cmp.Or(d.Values[i], "-")
			having[d.Values[i]]++
			known++
		}
		for usual, n := range having {
			if 2*n > known {
				for _, value := range d.Values {
					d.Odd = append(d.Odd, value != usual && value != "")
				}
			}
		}
		if len(having) > 1 {
			all = append(all, d)
		}
	}
	return all
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
