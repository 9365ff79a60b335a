package plan

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"time"
	"unique"

	"ldirectord/checker"
	"ldirectord/internal/schedule"
	"ldirectord/parser"
)

// Use is one check of an entry of a virtual service. Equal checks run only once, for all their uses.
type Use struct {
	Service *Service
	Entry   *Entry
	Line    *Line
}

// Uses yields the checks of these entries of the service. With checktype=off, an entry has one without a task.
func (s *Service) Uses(of ...*Entry) iter.Seq[Use] {
	return func(yield func(Use) bool) {
		for _, e := range of {
			for l := &e.First; l != nil; l = l.Next {
				if !yield(Use{s, e, l}) {
					return
				}
			}
		}
	}
}

// Section returns the section that configures the checks of the entry.
func (x Use) Section() *parser.Virtual {
	if x.Entry.Fallback && x.Service.FallbackCheck != nil {
		return x.Service.FallbackCheck
	}
	return x.Service.Config
}

// Check returns the configuration of the check.
func (x Use) Check() *parser.Virtual { return x.Section().Check(int(x.Line.Number)) }

// Name returns the name of the check, such as https. If the entry has several checks, the name is https 443, or https
// 443 #2 if their names are alike. A check from a checkdef has the name of the checkdef.
func (x Use) Name() string {
	name := x.plainName()
	for other := range x.Service.Uses(x.Entry) {
		if other != x && other.plainName() == name {
			return fmt.Sprintf("%s #%d", name, x.Line.Number+1)
		}
	}
	return name
}

// Kind returns the name of the checkdef of the check, or without one the kind of the check, such as external.
func (x Use) Kind() string {
	if name := x.Check().CheckName; name != "" {
		return name
	}
	return x.Spec().Kind()
}

// plainName returns the name of the check without #2. Other checks of the entry may have the same name.
func (x Use) plainName() string {
	if name := x.Check().CheckName; name != "" {
		return name
	}
	spec := x.Spec()
	name := spec.Kind()
	if x.Entry.First.Next == nil {
		return name
	}
	switch spec.Type {
	case "combined":
		name = spec.Service
	case "on", "ping", "external", "external-perl":
		return name
	}
	return fmt.Sprintf("%s %d", name, spec.Target.Port())
}

// job is one check and its interval. Equal jobs share one check.
type job struct {
	common unique.Handle[checker.Spec] // what servers have in common, kept once
	target netip.AddrPort
	url    string
	every  time.Duration
}

// job returns the spec of the check and its job. tls holds the checksums of the files that checks read.
func (x Use) job(tls checker.TLSSums) (checker.Spec, job) {
	spec := x.Spec()
	spec.TLSFiles = tls.Of(spec)
	common := spec
	common.Target, common.URL, common.Through.Server = netip.AddrPort{}, "", netip.Addr{}
	return spec, job{unique.Make(common), spec.Target, spec.URL, x.Service.Config.CheckInterval.Duration()}
}

// whom returns the key by which Succeed finds the heir of a replaced check. Both have the same server, service and
// timeout, so a missing answer to the replaced check counts for its heir.
func whom(s checker.Spec) job {
	return job{target: s.Target, url: s.Service, every: s.NegotiateTimeout}
}

// Succeed lets a plan that is not yet in force continue the checks that are already running. running and sums are the
// uses and the file checksums of the plan in force, and now yields the uses of this plan. heirs maps a negotiate check
// that is replaced to its successor, which has the same server, service and timeout.
func (p *Plan) Succeed(running iter.Seq[Use], sums checker.TLSSums, now iter.Seq[Use]) (
	heirs map[*schedule.Task]*schedule.Task) {
	adopted, replaced := make(map[*schedule.Task]*schedule.Task, len(p.Tasks)), map[job]*schedule.Task{}
	heirs = map[*schedule.Task]*schedule.Task{}
	for x := range running {
		spec, j := x.job(sums)
		if t := p.jobs[j]; t != nil {
			adopted[t] = x.Line.Task
		} else if spec.Type == parser.Negotiate {
			replaced[whom(spec)] = x.Line.Task
		}
	}
	for x := range now {
		if t := adopted[x.Line.Task]; t != nil {
			x.Line.Task = t
		} else if t := replaced[whom(x.Spec())]; t != nil {
			heirs[t] = x.Line.Task
		}
	}
	for i, t := range p.Tasks {
		p.Tasks[i] = cmp.Or(adopted[t], t)
	}
	p.jobs = nil
	return heirs
}
