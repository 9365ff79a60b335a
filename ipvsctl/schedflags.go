package ipvsctl

import (
	"fmt"
	"strings"
)

// A schedFlag is a flag of a virtual service by the name it has for its scheduler.
type schedFlag struct {
	flag      Flags
	scheduler string // "" for every one
	name      string
}

// schedFlags are the flags of ipvsadm(8), -b; of two names for a flag the scheduler's own comes first.
var schedFlags = []schedFlag{
	{Sched1, "sh", "sh-fallback"},
	{Sched1, "mh", "mh-fallback"},
	{Sched1, "", "flag-1"},
	{Sched2, "sh", "sh-port"},
	{Sched2, "mh", "mh-port"},
	{Sched2, "", "flag-2"},
	{Sched3, "", "flag-3"},
}

// ParseSchedFlags reads a list like "sh-fallback,sh-port" as ipvsadm -b does: names are exact, empty ones
// and repetitions do no harm, and a name of another scheduler is an error.
func ParseSchedFlags(scheduler, list string) (Flags, error) {
	var flags Flags
	for name := range strings.SplitSeq(list, ",") {
		if name == "" {
			continue
		}
		flag, err := parseSchedFlag(scheduler, name)
		if err != nil {
			return 0, err
		}
		flags |= flag
	}
	return flags, nil
}

func parseSchedFlag(scheduler, name string) (Flags, error) {
	for _, f := range schedFlags {
		switch {
		case f.name != name:
		case f.scheduler != "" && f.scheduler != scheduler:
			return 0, fmt.Errorf("scheduler flag %q is for scheduler %s, not %s", name, f.scheduler, scheduler)
		default:
			return f.flag, nil
		}
	}
	return 0, fmt.Errorf("unknown scheduler flag %q; allowed are %s", name, strings.Join(allowedFlags(scheduler), ", "))
}

// allowedFlags lists the names that scheduler takes.
func allowedFlags(scheduler string) []string {
	var names []string
	for _, f := range schedFlags {
		if f.scheduler == "" || f.scheduler == scheduler {
			names = append(names, f.name)
		}
	}
	return names
}

// schedFlagNames names the scheduler's flags that are set, each once.
func schedFlagNames(scheduler string, flags Flags) []string {
	var names []string
	for _, f := range schedFlags {
		if flags&f.flag != 0 && (f.scheduler == "" || f.scheduler == scheduler) {
			names = append(names, f.name)
			flags &^= f.flag
		}
	}
	return names
}
