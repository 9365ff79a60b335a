package core

import (
	"cmp"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
)

// This file tells which servers differ from the others of their section, once that has lasted for samewait. Nothing
// decides by it.

// oddities are how a server differs from the others, by trait.
type oddities [traits]oddity

// oddity is one difference; the zero value is none.
type oddity struct {
	since time.Time
	says  string
	told  bool // it has lasted long enough
}

// company are the servers of a section that can be compared, and what they show. It is used again for each section.
type company struct {
	servers []*server
	all     []shown
	times   []uint32
	fresh   bool // one of them has too few answers, as after a reload: until all have, no difference ends
}

// compare compares the servers of each section with each other.
func (e *examiner) compare() {
	for _, v := range e.virtuals {
		e.company.gather(v)
		if len(e.company.all) >= min(fewest, len(v.servers)) { // otherwise the others may be back soon
			e.company.compare(v, &e.tell)
		}
	}
}

// gather takes the servers whose last checks passed. Of the others nothing new is known.
func (c *company) gather(v *virtual) {
	clear(c.servers) // a plan that was replaced may be freed
	c.servers, c.all, c.fresh = c.servers[:0], c.all[:0], false
	for _, s := range v.servers {
		if one, known := v.shows(s); known && s.MovedTo < 0 {
			c.servers, c.all, c.fresh = append(c.servers, s), append(c.all, one), c.fresh || one.fresh
		}
	}
}

// compare notes and tells who differs.
func (c *company) compare(v *virtual, tell *teller) {
	n, wait := normOf(c.all, c.times[:0]), v.sameWait()
	c.times = n.took
	for i, s := range c.servers {
		var says [traits]string
		if wait > 0 {
			says = n.differs(&c.all[i], tell.now())
		}
		odd := s.isOdd()
		if odd && c.fresh || !odd && says == ([traits]string{}) { // the latter is true of most servers
			continue
		}
		if memoryOf(v, s).differs(says, tell.now(), wait) {
			tell.compare(v, s, v.IsOurs())
		}
	}
}

func (v *virtual) sameWait() time.Duration { return time.Duration(v.Config.SameWait) * time.Second }

// shows is what a server shows in its last checks, and whether all of them passed.
func (v *virtual) shows(s *server) (one shown, known bool) {
	if s.counted {
		one.got, one.due = s.got, s.due
	}
	for x := range v.checks(s) {
		c := x.j.check
		if c == nil || c.agent { // with checktype=off, or not the server itself
			continue
		}
		if c.at == 0 || !c.last.OK {
			return one, false
		}
		one.text = cmp.Or(one.text, c.last.Shows)
		if x.j.k == 0 {
			one.took, one.fresh = c.mean, c.mean == 0
		}
		if c.last.Cert != 0 {
			one.cert = one.cert*31 + c.last.Cert
			if one.ends == 0 || c.last.CertEnd < one.ends {
				one.ends = c.last.CertEnd
			}
		}
	}
	return one, true
}

// differs notes how a server differs now, and reports whether there is something to tell.
func (r *recent) differs(says [traits]string, now time.Time, wait time.Duration) (turned bool) {
	var was, is oddities
	if r.odd != nil {
		was = *r.odd
	}
	for i := range says {
		if says[i] != "" {
			since := cmp.Or(was[i].since, now)
			is[i] = oddity{since, says[i], now.Sub(since) >= wait}
		}
		turned = turned || was[i].told != is[i].told
	}
	if r.odd = nil; is != (oddities{}) {
		r.odd = &is
	}
	return turned
}

func (s *server) isOdd() bool { return s.recent != nil && s.odd != nil }

// saysOdd is how a server has differed in a trait for long enough; "" if it has not.
func (s *server) saysOdd(of trait) string {
	if !s.isOdd() || !s.odd[of].told {
		return ""
	}
	return s.odd[of].says
}

// oddKind is the kind of condition of the servers that differ in a trait.
func oddKind(name string, of trait) kind {
	says := func(a *subject) string { return a.s.saysOdd(of) }
	return kind{name: name, trouble: judge.Doubt, says: says, news: &news{
		begins: func(a *subject, _ begun) notice {
			why := says(a)
			return notice{notify.Differs, "Differs", ": " + why, why, why}
		},
		ends: func(*subject, begun) notice {
			over := "no longer differs: " + name
			return notice{notify.DiffersOver, "No longer differs", ": " + name, over, over}
		},
	}}
}

var (
	certificateKind = oddKind("certificate", certificate)
	versionKind     = oddKind("version", version)
	slowKind        = oddKind("slow", delay)
	shareKind       = oddKind("share", share)
)
