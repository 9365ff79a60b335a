package parser

import (
	"maps"
	"slices"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
)

// This file reads the directives for two ways to notice a failure before a check does: idle connections to servers, and
// the packets of clients. It decides which checks keep an idle connection, and which servers are observed.

// Watch decides whether ldirectord keeps idle connections to servers, so that it notices at once when a server dies.
type Watch struct {
	On       bool
	Greeters bool // also to servers that greet clients or count connections
	// how long a server's kernel may be silent before the connection to it ends, in whole seconds; 0: no limit
	Silence time.Duration
}

// String returns the value as it is written in the file: no, yes, or seconds.
func (w Watch) String() string {
	switch {
	case !w.On:
		return "no"
	case w.Silence == 0:
		return "yes"
	}
	return lvs.Seconds(w.Silence)
}

// maxSilence is the maximum of Watch.Silence, in seconds. The kernel accepts up to 32767 (tcp(7), TCP_KEEPIDLE).
const maxSilence Seconds = 3600

func parseWatch(text string) (Watch, bool) {
	if text == "yes" || text == "no" {
		return Watch{On: text == "yes"}, true
	}
	s, _, ok := ParseSeconds(text)
	return Watch{On: true, Silence: s.Duration()}, ok && s >= 1 && s <= maxSilence && s.Duration()%time.Second == 0
}

// Watches reports whether an idle connection is kept to the address and port at which a server is checked. A global
// watch leaves out servers whose service greets clients or counts connections.
func (v *Virtual) Watches(real *Real) bool {
	return v.Watch.On && v.asksByTCP() && v.PortOf(real) > 0 &&
		(v.Watch.Greeters || !serviceOf(v, real).Is(settings.Greets))
}

// serviceOf returns the service that is checked. For a check that only connects, this is the usual service of the port.
func serviceOf(v *Virtual, real *Real) settings.Service {
	if v.Negotiates() {
		return settings.ServiceOf(v.Service)
	}
	port := v.PortOf(real)
	if port == sshPort {
		return settings.Service{Name: "ssh", Traits: settings.Greets}
	}
	return settings.ServiceOf(guessService(uint16(port)))
}

const sshPort = 22

// watches adds notes about services that a watch leaves out, and about services whose servers start a process for each
// connection. It refuses a watch that would make MySQL lock this machine out.
func (a adviser) watches() {
	own := a.has("watch")
	asked := map[string]settings.Service{}
	for _, check := range a.Checks() {
		for i := range a.s.reals {
			if s := serviceOf(check, &a.s.reals[i].Real); a.Watch.On && check.asksByTCP() {
				asked[s.Name] = s
			}
		}
	}
	a.when(own && a.Watch.On && len(asked) == 0 && len(a.s.reals) > 0, "watch", noEffect,
		"watch has no effect: no check of the section is made over TCP")
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		switch s := asked[name]; {
		case name == "mysql" && own && !slices.ContainsFunc(a.Checks(), logsInToMySQL):
			severity, _ := a.severityOf(a.isMySQL)
			a.tell(severity, incomplete, a.At["watch"],
				"watch needs a mysql check that logs in: the server counts idle connections as errors "+
					"and finally refuses this machine; only a log-in resets the count")
		case s.Is(settings.Greets) && !own:
			a.tell(Note, notWatched, a.place("watch"), "watch leaves out %s, whose servers speak first or "+
				"limit idle connections; to include them, set watch in the section", name)
		case s.Is(settings.Forks):
			a.tell(Note, notWatched, a.place("watch"),
				"watch holds one more connection to each %s server, which runs a process for it", name)
		}
	}
}

// isMySQL reports whether a check connects to a port of MySQL at a line's servers.
func (a adviser) isMySQL(l *realLine) bool {
	return slices.ContainsFunc(a.Checks(), func(check *Virtual) bool {
		return check.asksByTCP() && serviceOf(check, &l.Real).Name == "mysql"
	})
}

func logsInToMySQL(v *Virtual) bool { return v.Negotiates() && v.Service == "mysql" && v.Login != "" }

// Observes reports whether a server is suspected when its clients get no answers. This director sees answers only with
// masq. A UDP packet need not have an answer.
func (v *Virtual) Observes(real *Real) bool {
	oneWay := func(m Marking) bool { return m.Protocol == "udp" || m.Protocol == "all" }
	return v.Observe != lvs.NotObserved && real.Forward == lvs.Masq && v.Protocol != lvs.UDP &&
		!slices.ContainsFunc(v.Marking, oneWay)
}

// observes warns if observe has no effect.
func (a adviser) observes() {
	observed := 0
	for i := range a.Reals {
		if a.Observes(&a.Reals[i]) {
			observed++
		}
	}
	none := observed < 2 && len(a.Waiting) == 0 && len(a.Reals) > 0
	a.when(a.Observe != lvs.NotObserved && none, "observe", noEffect,
		"observe has no effect: it compares how the section's masq servers answer TCP clients, and needs at "+
			"least two of them")
	_, own := a.own()
	a.when(a.Observe == lvs.LeftOut && !none && own > 0 && a.KeepServing.Of(own) >= own, "observe", noEffect,
		"observe=out leaves no server out: keepserving keeps all of them in service")
}
