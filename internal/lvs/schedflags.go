package lvs

import (
	"fmt"
	"slices"
	"strings"
)

// schedFlag is a flag of a virtual service, with its name for a scheduler.
type schedFlag struct {
	flag      Flags
	scheduler string // "" for every scheduler
	name      string
}

// schedFlags lists the flags that ipvsadm(8) sets with -b. If a flag has two names, the scheduler's own comes first.
var schedFlags = []schedFlag{
	{Sched1, "sh", "sh-fallback"},
	{Sched1, "mh", "mh-fallback"},
	{Sched1, "", "flag-1"},
	{Sched2, "sh", "sh-port"},
	{Sched2, "mh", "mh-port"},
	{Sched2, "", "flag-2"},
	{Sched3, "", "flag-3"},
}

// ParseSchedFlags reads a list like "sh-fallback,sh-port" as ipvsadm -b does. Names must match exactly, empty and
// repeated names are ignored, and the name of another scheduler's flag is an error.
func ParseSchedFlags(scheduler, list string) (flags Flags, err error) {
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(schedFlags, func(f schedFlag) bool { return f.name == name })
		switch {
		case name == "":
		case i < 0:
			return 0, fmt.Errorf("unknown scheduler flag %q; allowed are %s", name,
				strings.Join(allowedFlags(scheduler), ", "))
		case !schedFlags[i].isFor(scheduler):
			return 0, fmt.Errorf("scheduler flag %q is for scheduler %s, not %s", name,
				schedFlags[i].scheduler, scheduler)
		default:
			flags |= schedFlags[i].flag
		}
	}
	return flags, nil
}

func (f schedFlag) isFor(scheduler string) bool { return f.scheduler == "" || f.scheduler == scheduler }

// RefusesClientsOfTheDown reports whether the kernel refuses clients whose server has weight 0. The schedulers sh and
// mh choose a server by the client's address, and avoid a server of weight 0 only with their fallback flag.
func (s Settings) RefusesClientsOfTheDown() bool {
	return (s.Scheduler == "sh" || s.Scheduler == "mh") && s.Flags&Sched1 == 0
}

// allowedFlags lists the names of the flags that the scheduler accepts.
func allowedFlags(scheduler string) []string {
	var names []string
	for _, f := range schedFlags {
		if f.isFor(scheduler) {
			names = append(names, f.name)
		}
	}
	return names
}

// schedFlagNames returns the names of the scheduler's flags that are set, one name for each.
func schedFlagNames(scheduler string, flags Flags) []string {
	var names []string
	for _, f := range schedFlags {
		if flags&f.flag != 0 && f.isFor(scheduler) {
			names = append(names, f.name)
			flags &^= f.flag
		}
	}
	return names
}
