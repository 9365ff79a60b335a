package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/fwmark"
	"ldirectord/parser"
	"ldirectord/printable"
)

// inspectTime is for all programs that show who sets and uses marks.
const inspectTime = 20 * time.Second

// marks looks at what this machine makes of the file's firewall marks.
func (f *findings) marks(ctx context.Context, cfg *parser.Config, owns func(fwmark.Setting) bool) {
	if !slices.ContainsFunc(cfg.Virtuals, func(v parser.Virtual) bool { return v.Protocol == parser.FWM }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	m, err := fwmark.Inspect(ctx)
	if err != nil {
		m.Unread = append(m.Unread, err.Error())
	}
	j := markJudge{findings: f, machine: m, owns: owns}
	j.all(cfg)
	if own, err := addressesHere(); err == nil {
		j.addresses(cfg, own)
	}
}

// markJudge holds the marks of a file against what sets and uses marks on a machine.
type markJudge struct {
	*findings
	machine fwmark.Machine
	owns    func(fwmark.Setting) bool // by a rule of the file's own daemon
}

func (j *markJudge) all(cfg *parser.Config) {
	var first *parser.Virtual // with rules of its own
	for i := range cfg.Virtuals {
		v := &cfg.Virtuals[i]
		j.service(v)
		if first == nil && len(v.Marking) > 0 {
			first = v
		}
	}
	if first != nil {
		j.backEnds(first)
	}
	if len(j.machine.Unread) > 0 {
		j.warn(parser.Position{}, "mark-unread", "what sets and uses firewall marks on this machine can't all be looked at: %s", strings.Join(j.machine.Unread, "; "))
	}
}

// service looks at one mark.
func (j *markJudge) service(v *parser.Virtual) {
	switch {
	case v.Protocol != parser.FWM:
		return
	case len(v.Marking) == 0:
		j.unset(v)
	default:
		j.others(v)
	}
	j.routing(v)
}

// unset warns of a mark without a rule in the file or on the machine.
func (j *markJudge) unset(v *parser.Virtual) {
	if j.machine.NothingSets(v.Mark, v.IPv6) {
		j.warn(v.At["virtual"], "mark-unset", "nothing sets mark %d here, so the virtual service gets no packets; mark = ADDRESS PROTOCOL PORTS has the daemon set it", v.Mark)
	}
}

// others warns of rules that are not the daemon's and set the mark as well.
func (j *markJudge) others(v *parser.Virtual) {
	for _, s := range j.machine.Settings {
		if !s.Gives(v.Mark, v.IPv6) || j.owns(s) {
			continue
		}
		whose := "a rule"
		if s.Ours {
			whose = "a rule of another ldirectord"
		}
		j.warn(v.At["virtual"], "mark-taken", "mark %d is set by %s too, in chain %s (%s): %s", v.Mark, whose, printable.Line(s.Chain), s.BackEnd, printable.Line(s.Rule))
		return
	}
}

// routing warns of a mark by which packets are routed: they might never reach the virtual service.
func (j *markJudge) routing(v *parser.Virtual) {
	for _, r := range j.machine.Routing {
		if r.Uses(v.Mark, v.IPv6) {
			j.warn(v.At["virtual"], "mark-routed", "mark %d is used by ip rule %d, which sends its packets to table %s", v.Mark, r.Priority, printable.Line(r.Table))
			return
		}
	}
}

func (j *markJudge) backEnds(v *parser.Virtual) {
	at := v.Marking[0].At
	switch m := j.machine; {
	case m.BackEnd == "":
		j.warn(at, "mark-unsettable", "iptables is not installed here, so no mark can be set")
	case m.Other && m.BackEnd == fwmark.NFT:
		j.warn(at, "mark-backends", "iptables is %s here, and %s has rules in its mangle table as well, which act on the same packets", m.BackEnd, fwmark.Legacy)
	case m.Other:
		j.warn(at, "mark-backends", "iptables is %s here, and %s has rules in its mangle table as well, which act on the same packets", m.BackEnd, fwmark.NFT)
	}
}

// addresses warns of mark lines about an address that is not this machine's: without it the kernel forwards the
// packets and never asks IPVS.
func (j *markJudge) addresses(cfg *parser.Config, own ownAddresses) {
	for _, v := range cfg.Virtuals {
		told := map[netip.Prefix]bool{}
		for _, m := range v.Marking {
			if told[m.Dest] || slices.ContainsFunc(own.all, m.Dest.Contains) {
				continue
			}
			told[m.Dest] = true
			j.warn(m.At, "mark-address", "%s", offMachine(m.Dest))
		}
	}
}

// offMachine says of a virtual address, or of a network of them, that its packets pass this machine by.
func offMachine(p netip.Prefix) string {
	where := p.Addr().String() + " is on no interface"
	if !p.IsSingleIP() {
		where = "no address of " + p.String() + " is on an interface"
	}
	return where + " of this machine, so its packets don't reach the virtual service"
}
