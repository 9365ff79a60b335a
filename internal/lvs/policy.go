package lvs

import (
	"strconv"
	"time"
)

// Policy holds the settings of a section that decide when servers are added and removed, and with which weight. A
// section of the configuration and judge.Section embed it.
type Policy struct {
	// how many servers checks must leave in service; zero if none
	KeepServing Share   `cf:"keepserving,extension"`
	MinServers  LowHigh `cf:"minservers,extension"` // how many servers are enough; zero: one
	// a failing server gets weight 0 instead of being removed
	Quiescent bool     `cf:"quiescent=no"`
	OnFail    OnFail   `cf:"onfail,extension"`          // what happens to a server that checks take out
	Repair    bool     `cf:"repair=no,extension"`       // changes made by hand are undone at once
	Comeback  Comeback `cf:"comeback=checks,extension"` // who brings back a server that checks took out
	// how long the weight of a returning server rises; 0 if it does not
	SlowStart time.Duration `cf:"slowstart=0,extension"`
	Pace      Pace          `cf:"pace,extension"`     // how fast servers return; zero: at once
	PaceOut   Pace          `cf:"paceout,extension"`  // how fast checks take servers out; zero: at once
	HoldDown  HoldDown      `cf:"holddown,extension"` // zero: a server that fails again does not stay out
	// how many servers are enough without backup servers; zero means one
	BackupBelow LowHigh `cf:"backupbelow,extension"`
}

// OnFail decides what happens to a server that checks take out. The server has weight 0 for this time and is then
// removed, unless one of the values below applies.
type OnFail time.Duration

// The values of OnFail that are not times.
const (
	ByQuiescent OnFail = -iota // as Policy.Quiescent says
	Keep                       // it has weight 0 while it fails
	Cut                        // it is removed at once
)

// String returns the value as written in the file; "" if it is not set there.
func (o OnFail) String() string {
	if o > 0 {
		return Seconds(time.Duration(o))
	}
	return [...]string{"", "keep", "cut"}[-o]
}

// Stays reports whether a server that fails has weight 0, at least for a time.
func (o OnFail) Stays() bool { return o > 0 || o == Keep }

// Ends reports whether a server that fails is removed, at once or after a time.
func (o OnFail) Ends() bool { return o > 0 || o == Cut }

// Comeback says who brings back a server that checks took out.
type Comeback bool

// ByOrder means that an operator has to let the server back in.
const ByOrder Comeback = true

// String returns the value as written in the file.
func (c Comeback) String() string {
	if c == ByOrder {
		return "order"
	}
	return "checks"
}

// Observe decides what happens to a server whose clients get no answers while clients of other servers do.
type Observe uint8

// The values of Observe.
const (
	NotObserved Observe = iota // nobody looks for such servers
	Reported                   // such a server is reported as suspected
	LeftOut                    // it has weight 0 once it has been suspected for long enough
)

// String returns the value as written in the file.
func (o Observe) String() string { return [...]string{"no", "yes", "out"}[o] }

// Pace limits how many servers come or go in each period. The zero Pace sets no limit.
type Pace struct {
	Share
	Every time.Duration
}

// String returns the pace as written in the file: 1/10s or 25%/60s.
func (p Pace) String() string { return p.Share.String() + "/" + Seconds(p.Every) }

// HoldDown says how long a server that fails again stays out.
type HoldDown struct {
	First time.Duration
	Most  time.Duration // the longest time out, and how long a failure counts; at least First
}

// String returns the value as it may be written in the file: 30s,240s.
func (h HoldDown) String() string { return Seconds(h.First) + "," + Seconds(h.Most) }

// Seconds returns a time as it may be written in the file: 0.5s or 90s.
func Seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }
