package core

import (
	"cmp"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
)

// This file reports which servers differ from the others of their section, once that has lasted for samewait. It
// decides nothing.

// oddities describes how a server differs from the others, trait by trait.
type oddities [traits]oddity

// oddity is one difference. The zero value means that there is none.
type oddity struct {
	since time.Time
	says  string
}

// company is a buffer for what the servers of a section show. It is reused for each section.
type company struct {
	all   []shown
	times []uint32
}

// compare compares the servers of each section with each other.
func (e *examiner) compare() {
	for _, v := range e.virtuals {
		e.company.compare(v, &e.tell)
	}
}

// compare notes and reports which servers differ. It changes nothing for a server whose last checks did not pass.
func (c *company) compare(v *virtual, tell *teller) {
	known, fresh := 0, false
	c.all = c.all[:0]
	for _, s := range v.servers {
		one := v.shows(s)
		if c.all = append(c.all, one); one.known {
			known++
		}
		fresh = fresh || one.fresh
	}
	if v.few = known < min(fewest, len(v.servers)); v.few {
		return // the others may be back soon; what was found is shown as not compared now, see odd
	}
	n := normOf(c.all, c.times[:0])
	c.times = n.took
	for i, s := range v.servers {
		one := &c.all[i]
		says, odd := n.differs(one, tell.now()), s.isOdd()
		if !one.known || !odd && says == ([traits]string{}) { // most servers are like the others
			continue
		}
		if odd && fresh { // until all have answered often enough, what was found about its time is kept
			says[delay] = s.odd[delay].says
		}
		memoryOf(v, s).differs(says, tell.now())
		tell.compare(v, s, v.IsOurs())
	}
}

func (v *virtual) sameWait() time.Duration { return time.Duration(v.Config.SameWait) * time.Second }

// shows returns what a server shows, if its last checks passed.
func (v *virtual) shows(s *server) shown {
	if s.MovedTo >= 0 {
		return shown{}
	}
	one := shown{known: true}
	for x := range v.checks(s) {
		c := x.j.check
		if c == nil || c.agent { // checktype=off, or it does not check the server itself
			continue
		}
		if !c.last.OK { // this includes a check without a result yet
			return shown{}
		}
		one.text = cmp.Or(one.text, c.last.Shows)
		if x.j.k == 0 {
			one.took, one.fresh = c.mean, c.mean == 0
		}
		if c.last.Cert != 0 {
			seen := &one.certs
			seen.sum = seen.sum*31 + c.last.Cert
			if seen.ends == 0 || c.last.CertEnd < seen.ends {
				seen.ends = c.last.CertEnd
			}
		}
	}
	if s.counted {
		one.got, one.due = s.got, s.due
	}
	return one
}

// differs notes how a server differs now.
func (r *recent) differs(says [traits]string, now time.Time) {
	var was, is oddities
	if r.odd != nil {
		was = *r.odd
	}
	for i, text := range says {
		if text != "" {
			is[i] = oddity{cmp.Or(was[i].since, now), text}
		}
	}
	if r.odd = nil; is != (oddities{}) {
		r.odd = &is
	}
}

func (s *server) isOdd() bool { return s.recent != nil && s.odd != nil }

// odd describes how a server differs in a trait. It returns "" if the server has not differed for samewait, or samewait
// is 0.
func (a *subject) odd(of trait) string {
	wait := a.v.sameWait()
	if !a.s.isOdd() || wait == 0 || a.Now.Sub(a.s.odd[of].since) < wait {
		return ""
	}
	says := a.s.odd[of].says
	if says != "" && a.v.few {
		says += "; not compared now: too few servers pass"
	}
	return says
}

// oddKind returns the kind of condition for servers that differ in a trait.
func oddKind(name string, of trait, trouble judge.Trouble) kind {
	says := func(a *subject) string { return a.odd(of) }
	return kind{name: name, trouble: trouble, says: says, news: &news{
		begins: func(a *subject) notice {
			why := says(a)
			return notice{notify.Differs, "Differs", ": " + why, why, why}
		},
		ends: func(*subject) notice {
			over := "no longer differs: " + name
			return notice{notify.DiffersOver, "No longer differs", ": " + name, over, over}
		},
	}}
}

var (
	certificateKind = oddKind("certificate", certificate, judge.Doubt)
	versionKind     = oddKind("version", version, judge.Doubt)
	slowKind        = oddKind("slow", delay, judge.Doubt)
	shareKind       = oddKind("share", share, judge.Noted) // usual with few clients, or persistence
)
