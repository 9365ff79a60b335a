package parser

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// This file reads the directives for announced addresses, and refuses addresses that can't be announced.

const (
	maxDevice               = 15 // bytes of a device's name (linux/if.h, IFNAMSIZ)
	maxWithdrawWait Seconds = 10 // because a stop waits that long
)

var deviceForm = regexp.MustCompile(`^[\w.-]+$`)

// parseDevice parses the name of a device. The word no means no device.
func parseDevice(text string) (name string, ok bool) {
	if name = unquote(text); name == "no" {
		return "", true
	}
	return name, len(name) <= maxDevice && name != "." && name != ".." && deviceForm.MatchString(name)
}

func parseMinServers(text string) (lvs.LowHigh, bool) {
	first, second, two := strings.Cut(strings.ReplaceAll(text, " ", ""), "/")
	if !two {
		second = first
	}
	low, ok := parsePart(first)
	high, ok2 := parsePart(second)
	return lvs.LowHigh{Low: low, High: high}, ok && ok2 && low.N > 0 && high.N > 0
}

// readAnnounceAddress reads addresses of the section's family.
func readAnnounceAddress(v *value) []netip.Addr {
	if v.section.host != "" {
		v.refuse(conflict, "announceaddress is allowed only under virtual=MARK or virtual6=MARK; the address "+
			"of this section is announced without it")
	}
	return readList(v, v.text, func(item, _ string) netip.Addr {
		dest := v.destination(item)
		if !dest.IsSingleIP() {
			v.wrong("%s is a network; it must be a single address", item)
		}
		return dest.Addr()
	})
}

// limit refuses a limit that needs more servers than the section has, or whose LOW amounts to more servers than its
// HIGH. If the section has lists or a range of host names, limit only warns, because these may grow. It ignores a
// section with a range whose size is not known yet.
func (a adviser) limit(name string, limit lvs.LowHigh) {
	servers, _ := a.own()
	isOpen := func(l realLine) bool { return l.isOpen }
	if limit == (lvs.LowHigh{}) || servers == 0 || slices.ContainsFunc(a.s.reals, isOpen) {
		return
	}
	namesRange := func(l realLine) bool { return l.isRange() && !l.isFixed() }
	mayGrow := a.has("realfile") || a.has("realnames") || slices.ContainsFunc(a.s.reals, namesRange)
	top := limit.High.Of(servers)
	switch low, high := limit.Of(servers); {
	case high > servers && mayGrow:
		a.remark(name, suspicious, "%s = %s needs %d servers, and %s has only %d now", name,
			limit, high, a.ID, servers)
	case high > servers:
		a.refuse(name, badValue, "%s = %s needs %d servers, but %s has only %d; it must be at most that, "+
			"or a percentage", name, limit, high, a.ID, servers)
	case top < low && mayGrow:
		a.remark(name, suspicious,
			"%s = %s is %d/%d of the %d servers that %s has now; HIGH is taken as %d",
			name, limit, low, top, servers, a.ID, high)
	case top < low:
		a.refuse(name, badValue, "%s = %s is %d/%d of the %d servers of %s; LOW must not be above HIGH", name,
			limit, low, top, servers, a.ID)
	}
}

// announceable refuses a section whose addresses cannot be announced.
func (a adviser) announceable() {
	if a.Announce == "" {
		return
	}
	if a.Announce == a.LastResort {
		a.refuse("lastresort", conflict,
			"lastresort is the device of announce, %s; it must be another device", a.Announce)
	}
	if a.Mark > 0 && len(a.AnnounceAddress) == 0 {
		if len(a.Marking) == 0 && !a.has("announceaddress") {
			a.refuse("announce", incomplete,
				"%s has no address to announce; it needs mark lines, "+
					"or announceaddress, or announce = no", a.ID)
		}
		for _, m := range a.Marking {
			if !m.Dest.IsSingleIP() {
				a.error(conflict, m.At,
					"%s is a network, which the routing daemon itself announces; with announce, "+
						"give the mark line a single address, or the section announceaddress",
					m.Dest)
				return
			}
		}
	}
	for _, addr := range a.Announced() {
		if !addr.IsGlobalUnicast() {
			a.refuse("announce", badValue,
				"%s of %s cannot be announced; it must be an address that others can reach", addr, a.ID)
		}
	}
}

// oneDevice refuses an address that two sections announce on different devices.
func (r *resolver) oneDevice(c *Config) {
	first := map[netip.Addr]*Virtual{}
	for i, v := range c.Virtuals {
		for _, a := range v.Announced() {
			switch other := first[a]; {
			case other == nil:
				first[a] = v
			case other.Announce != v.Announce || other.LastResort != v.LastResort:
				r.in(r.sections[i], wholeSection).error(conflict, v.At["virtual"],
					"%s has a different announce or lastresort in %s; an address can have only "+
						"one of each", a, other.At["virtual"].SeenFrom(v.At["virtual"]))
			}
		}
	}
}

const onlyWithAnnounce = " has an effect only with announce"

// onlyAnnounced returns the reason why a directive of announced addresses has no effect, or "".
func (v *Virtual) onlyAnnounced(directive string, isOn bool) string {
	if !isOn || v.Announce != "" {
		return ""
	}
	return directive + onlyWithAnnounce
}

// announced warns of schedulers that break connections when another director takes over. Without lastresort, it also
// warns of settings that withdraw an address from all directors, or that keep it announced by a director that can't
// reach its servers.
func (a adviser) announced() {
	servers := len(a.Reals) + len(a.Waiting)
	if len(a.Announced()) == 0 || servers == 0 {
		return
	}
	switch {
	case servers == 1 || a.Protocol == lvs.UDP || a.Scheduler == "mh":
	case a.Scheduler == "sh":
		a.remark("scheduler", suspicious,
			"scheduler sh depends on the order of the servers in the table, so a connection that moves "+
				"to another director breaks; mh sends it to the same server")
	default:
		a.remark("scheduler", suspicious,
			"with scheduler %s and no IPVS sync daemon, a connection that moves to another director is "+
				"sent to another server and breaks; mh sends it to the same server", a.Scheduler)
	}
	if a.LastResort != "" {
		return
	}
	low, _ := a.MinServers.Of(servers)
	a.when(low > 1, "minservers", suspicious,
		"with fewer than %d servers, the address is withdrawn; if all directors have fewer, none of them "+
			"announces it; with lastresort = DEVICE, they still do", low)
	a.when(a.KeepServing.N > 0, "keepserving", suspicious,
		"keepserving keeps the address announced even if only this director can't reach its servers; with "+
			"lastresort = DEVICE, clients are then sent to another director")
}
