package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// reporting is a director's report, in the words of the table.
func reporting(t *testing.T, report string) *Report {
	t.Helper()
	const usual = "aa active up 1 announced"
	switch report {
	case "silent":
		return nil
	case "newer":
		r := reporting(t, usual)
		r.Version = "1.1"
		return r
	case "more":
		r := reporting(t, usual)
		r.Virtuals = append(r.Virtuals,
			Virtual{ID: "fwm:4", Servers: []view.Server{{Real: "web2:80", State: "up"}}})
		return r
	}
	words := strings.Fields(report)
	s := view.Server{Real: "web1:80", State: words[2]}
	if words[3] != "-" {
		w := uint32(testkit.Must(strconv.Atoi(words[3]))(t))
		s.TableWeight = &w
	}
	r := &Report{Sum: strings.Trim(words[0], "-"), Version: "1.0", Role: words[1],
		Virtuals: []Virtual{{ID: "fwm:3", Servers: []view.Server{s}}}}
	if len(words) > 4 {
		r.Announcements = []view.Announcement{{Address: "192.0.2.10", State: words[4]}}
	}
	return r
}

func TestDirectorsAreCompared(t *testing.T) {
	for _, row := range testkit.Table(t, testdata+"compare.txt", 3) {
		var reports []*Report
		for report := range strings.SplitSeq(row[1], "; ") {
			if report != "" {
				reports = append(reports, reporting(t, report))
			}
		}
		var got []string
		for _, d := range Compare(reports) {
			values := slices.Clone(d.Values)
			for i, odd := range d.Odd {
				if odd {
					values[i] += "*"
				}
			}
			got = append(got, fmt.Sprintf("%s %s %s %v", d.Virtual, d.Real, d.What, values))
		}
		testkit.Equal(t, strings.TrimSpace(strings.Join(got, ";")), row[2], row[0])
	}
}
