package plan

import (
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/schedule"
	"ldirectord/parser"
)

// Service is a virtual service of a plan.
type Service struct {
	Config        *parser.Virtual
	Settings      lvs.Settings
	Section       judge.Section   // the part of Config that package judge needs
	Entries       []*Entry        // the members of the section in their order, then its fallback servers
	Earlier       []*Entry        // former addresses of its servers
	FallbackCheck *parser.Virtual // the section by which fallback servers are checked; nil: they are not
}

// Entry is a real server, or a fallback server, of a virtual service.
type Entry struct {
	judge.Member
	Real  *parser.Real
	First Line // with checktype=off it has no task
}

// Line is a check of an entry, as one of the section's lines configures it.
type Line struct {
	Task   *schedule.Task // nil with checktype=off
	Next   *Line          // the next check of the entry
	Number uint8          // the index of its configuration in parser.Virtual.Checks
}

// Key returns the key of the service in the table.
func (s *Service) Key() lvs.Key { return s.Config.Key }

// Name returns the name of the service in the log: address:port, or the mark.
func (s *Service) Name() string {
	_, name, _ := strings.Cut(s.Config.ID, ":")
	return name
}

// Stays reports whether an entry stays although it left the file, see parser.Virtual.Staying.
func (s *Service) Stays(e *Entry) bool {
	return !e.Fallback && e.MovedTo < 0 && int(e.At) >= len(s.Config.Reals)
}

// Reals returns all entries except those of fallback servers.
func (s *Service) Reals() []*Entry { return s.Entries[:len(s.Section.Members)] }

// Name returns the name of an entry in orders, status and metrics: address:port as configured, or host:port with
// resolve.
func (e *Entry) Name() string {
	name, _ := e.Names()
	return name
}

// Line returns check k of the entry; First is check 0.
func (e *Entry) Line(k int) *Line {
	l := &e.First
	for range k {
		l = l.Next
	}
	return l
}

// Names returns the name of an entry, with the configured port, and the other name that orders may use. If the name
// contains the host, the other one contains the address, and vice versa. Without a host name, other is "".
func (e *Entry) Names() (name, other string) {
	addr, named := e.Real.Addr.String(), e.Real.Named
	if named == nil {
		return addr, ""
	}
	host := named.Host + ":" + strconv.Itoa(int(e.Real.Addr.Port()))
	if e.Follows() {
		return host, addr
	}
	return addr, host
}

// IsNamedAs reports whether both entries have the same Names.
func (e *Entry) IsNamedAs(o *Entry) bool {
	a, b := e.Real, o.Real
	if a.Addr != b.Addr || e.Follows() != o.Follows() || (a.Named == nil) != (b.Named == nil) {
		return false
	}
	return a.Named == nil || a.Named.Host == b.Named.Host
}

// Follows reports whether the address of the entry may change while the daemon is running.
func (e *Entry) Follows() bool { return e.MovedTo < 0 && e.Real.Named != nil && e.Real.Named.Followed }

// Host returns the configured host name of a server whose address may change or has changed; "" for other servers.
func (e *Entry) Host() string {
	if named := e.Real.Named; named != nil && named.Followed {
		return named.Host
	}
	return ""
}

// With returns the service with further members.
func (s *Service) With(more ...*Entry) *Service {
	with, n := *s, len(s.Section.Members)
	with.Entries = slices.Clone(s.Entries[:n])
	for _, e := range more {
		one := *e
		one.At = int32(len(with.Entries))
		with.Entries = append(with.Entries, &one)
	}
	with.have(with.Entries)
	with.Entries = append(with.Entries, s.Entries[n:]...)
	return &with
}

// have sets the members of the section.
func (s *Service) have(entries []*Entry) {
	s.Entries, s.Section.Members = entries, membersOf(entries)
	s.Section.Index()
}

func membersOf(entries []*Entry) []*judge.Member {
	members := make([]*judge.Member, len(entries))
	for i, e := range entries {
		members[i] = &e.Member
	}
	return members
}

// Unknown returns the state of the service while nothing is known about it. room provides the memory for the servers of
// all entries.
func (s *Service) Unknown(room []judge.Server) (now judge.State) {
	if s.Config.CheckVIP.IsValid() {
		now.Paths = make([]judge.Path, len(s.Config.Checks()))
	}
	ways, n := now.Paths != nil || s.Section.Announce, len(s.Section.Members)
	now.Servers, now.FallbackServers = room[:n:n], room[n:len(s.Entries)]
	for i, e := range s.Entries {
		s.unknown(&room[i], e, ways && i < n)
	}
	return now
}

// unknown sets the state of an entry while nothing is known about it. If ways is set, each of its checks has a Way.
func (s *Service) unknown(one *judge.Server, e *Entry, ways bool) {
	more := 0
	for l := e.First.Next; l != nil; l = l.Next {
		more++
	}
	one.Member, one.More = &e.Member, make([]judge.Check, more)
	for k, l := 0, &e.First; l != nil; k, l = k+1, l.Next {
		check := one.Check(k)
		check.Line = l.Number
		if n := int(l.Number); n > 0 && n <= len(s.Config.AlsoChecks) {
			check.Part = s.Config.AlsoChecks[n-1].Weight
		}
		if s.Config.Check(int(l.Number)).CheckType == parser.Agent {
			check.Agent, check.Health = true, health.Assume(health.Up)
		}
		if ways {
			check.Way = new(judge.Way)
		}
	}
}
