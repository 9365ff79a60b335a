package shadow

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// maxDifferences limits how many differences a report lists. All that lasted are counted.
const maxDifferences = 1000

// Report is the result of a shadow so far. The form of its JSON is stable.
type Report struct {
	Begun    time.Time `json:"begun"`
	Until    time.Time `json:"until"`
	Ended    bool      `json:"ended"`
	Readings int       `json:"readings"` // readings of the live table
	Unread   int       `json:"unread"`   // readings that failed
	// requests that would have changed the live table; always 0, because a Reader can't make any
	Writes   int `json:"writes"`
	Virtuals int `json:"virtuals"` // virtual services of the file that were in the live table at some reading
	Servers  int `json:"servers"`  // their servers in the file
	// virtual services that are in the file but not in the live table, and so are not compared now
	Absent      []string      `json:"absent,omitempty"`
	Followed    []string      `json:"followed,omitempty"` // servers whose programs were not run
	Failures    Sightings     `json:"failures"`
	Recoveries  Sightings     `json:"recoveries"`
	Lasting     int           `json:"lasting"`               // differences that lasted too long
	Differences []*Difference `json:"differences,omitempty"` // the first 1000 that lasted
	Now         []Difference  `json:"now,omitempty"`         // the current ones, lasting or not; 1000 at most
}

// Difference is a place where the two tables differ or differed.
type Difference struct {
	Since   time.Time `json:"since"`
	Lasted  float64   `json:"lasted_seconds"`
	Lasting bool      `json:"lasting"`        // longer than the times in the file explain
	Virtual string    `json:"virtual"`        // its id
	Real    string    `json:"real,omitempty"` // "": the virtual service itself
	Live    string    `json:"live"`           // the entry, as in ipvsadm
	Shadow  string    `json:"shadow"`
	// the side whose change began the difference; "" if both changed, or the difference was there from the start
	First  Side   `json:"first,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Sightings counts changes of servers by the side that made them first.
type Sightings struct {
	Together int  `json:"together"` // within one second
	Shadow   Lead `json:"shadow"`
	Live     Lead `json:"live"`
}

// Lead counts changes that one side made first.
type Lead struct {
	First int     `json:"first"`        // how many; the other side followed
	Sum   float64 `json:"sum_seconds"`  // the sum of these leads, each rounded to a second
	Most  float64 `json:"most_seconds"` // the longest of these leads, rounded likewise
}

func (s *Sightings) lead(first Side, by time.Duration) {
	l := &s.Shadow
	if first == Live {
		l = &s.Live
	}
	l.First++
	l.Sum += by.Seconds()
	l.Most = max(l.Most, by.Seconds())
}

// count returns the counts of failures if the server was in service, otherwise those of recoveries.
func (r *Report) count(served bool) *Sightings {
	if served {
		return &r.Failures
	}
	return &r.Recoveries
}

// publish passes the report to Options.Update.
func (s *shadow) publish() error {
	r := &s.report
	r.Until = time.Now()
	r.Now, r.Absent, r.Virtuals, r.Servers = nil, nil, 0, 0
	for _, v := range s.Plan.Services {
		if _, there := s.was.live[v.Key()]; there {
			s.compared[v.Key()] = true
		} else {
			r.Absent = append(r.Absent, v.Config.ID)
		}
		if s.compared[v.Key()] {
			r.Virtuals++
			r.Servers += len(v.Config.Reals)
		}
	}
	for _, d := range s.open {
		r.Now = append(r.Now, *d)
	}
	r.Now = r.Now[:min(len(r.Now), maxDifferences)]
	return s.Update(*r)
}

// name names the virtual service in which the tables differ and, if it is a server that differs, the server.
func (d *Difference) name() string { return strings.TrimSuffix(d.Virtual+" "+d.Real, " ") }

// String describes the difference on one line.
func (d *Difference) String() string {
	text := fmt.Sprintf("for %v: %s: live: %s; shadow: %s, %s", seconds(d.Lasted), d.name(), d.Live, d.Shadow,
		d.Reason)
	if d.First != "" {
		text += fmt.Sprintf("; %s changed first", d.First)
	}
	return text
}

// Print writes a summary of the report.
func (r Report) Print(w io.Writer) {
	fmt.Fprintf(w, "Compared for %v: virtual services: %d, real servers: %d\n",
		r.Until.Sub(r.Begun).Round(time.Second), r.Virtuals, r.Servers)
	fmt.Fprintf(w, "Readings of the live table: %d, failed: %d, requests that write: %d\n", r.Readings, r.Unread,
		r.Writes)
	for _, id := range r.Absent {
		fmt.Fprintf(w, "Not in the live table at the end: %s\n", id)
	}
	r.Failures.print(w, "Failures")
	r.Recoveries.print(w, "Recoveries")
	fmt.Fprintf(w, "Lasting differences: %d\n", r.Lasting)
	for _, d := range r.Differences {
		fmt.Fprintf(w, "  %s %s\n", d.Since.Format(time.DateTime), d)
	}
}

func (s Sightings) print(w io.Writer, what string) {
	fmt.Fprintf(w, "%s: together: %d; shadow first: %s; live first: %s\n", what, s.Together, s.Shadow, s.Live)
}

// String describes how often one side was first, and its average and its longest lead.
func (l Lead) String() string {
	if l.First == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, by %v, at most %v", l.First, seconds(l.Sum/float64(l.First)), seconds(l.Most))
}

// seconds converts a number of seconds to a duration, rounded to a tenth of a second.
func seconds(n float64) time.Duration {
	return time.Duration(n * float64(time.Second)).Round(time.Second / 10)
}
