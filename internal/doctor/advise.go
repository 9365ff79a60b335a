package doctor

// This file contains the findings of check and plan about the machine.

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"ldirectord/internal/fwmark"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// inspectTime is the total time limit for the programs that list the mark rules.
const inspectTime = 20 * time.Second

// kernel examines whether this machine meets the requirements of a table in the kernel.
func (e *examination) kernel(ctx context.Context) {
	if e.noIPVS.Kind != "" {
		e.add(e.noIPVS)
	}
	e.addressesAway()
	e.unseen()
	if !usesMarks(e.services) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	e.marks = new(fwmark.Inspect(ctx))
	e.allMarks()
}

func (e *examination) allMarks() {
	for _, s := range e.services {
		x := e.of(s)
		x.marking()
		x.markAddresses()
	}
	if unread := e.marks.Unread; len(unread) > 0 {
		e.addAt(parser.Position{}, "mark-unread", strings.Join(unread, "; "))
	}
}

// addressesAway warns of virtual addresses whose packets this machine does not accept as its own.
func (e *examination) addressesAway() {
	away := map[netip.Addr]bool{}
	for _, s := range e.services {
		addr := s.Config.Addr.Addr()
		if s.Config.Mark != 0 || addr.IsUnspecified() || away[addr] || e.of(s).ends(single(addr)) {
			continue
		}
		away[addr] = true
		e.addAt(s.Config.At["virtual"], "virtual-address", addr, "") // doctor has the command
	}
}

func single(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }

// markAddresses warns of mark lines with an address that this machine does not have. The kernel would route packets to
// such an address past IPVS.
func (x one) markAddresses() {
	for _, m := range x.Marking {
		if !x.ends(m.Dest) {
			x.report(finding("mark-address", addressIn(m.Dest)).in(m.At))
		}
	}
}

func (f *findings) secrets(cfg *parser.Config) {
	at := cfg.Global.At["webhook"]
	for _, v := range cfg.Virtuals {
		at = cmp.Or(at, v.SecretAt())
	}
	file := cmp.Or(at.File, cfg.Name)
	if info, err := os.Stat(file); at.Line > 0 && err == nil && info.Mode().Perm()&0o077 != 0 {
		mode := fmt.Sprintf("%#o", info.Mode().Perm())
		f.addAt(at, "readable-secret", mode, printable.ShellWord(file))
	}
}

// bigTable is the smallest number of real servers for which check recommends metrics = small.
const bigTable = 2000

// metrics recommends metrics = small for a big table if the file does not set metrics.
func (f *findings) metrics(cfg *parser.Config) {
	servers := 0
	for _, v := range cfg.Virtuals {
		servers += len(v.Reals)
	}
	at := cfg.Global.At
	if _, chosen := at["metrics"]; !chosen && cfg.Global.Listen.IsValid() && servers >= bigTable {
		f.addAt(at["listen"], "many-metrics", servers)
	}
}

// descriptors warns if checks and watched connections may need more files than a process is allowed to open.
func (f *findings) descriptors(cfg *parser.Config, limit uint64) {
	watched, checks := map[netip.AddrPort]bool{}, 0
	at := cfg.Global.At["watch"]
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			if check.Pings() || check.CheckType == parser.On || check.CheckType == parser.Off {
				continue // they open nothing
			}
			for _, r := range v.Reals {
				if checks++; check.Watches(&r) {
					watched[netip.AddrPortFrom(r.Addr.Addr(), uint16(check.PortOf(&r)))] = true
					at = cmp.Or(at, v.At["watch"])
				}
			}
		}
	}
	if uint64(len(watched)+checks) > limit {
		f.addAt(at, "open-files", len(watched), checks, limit)
	}
}

func (f *findings) group(g parser.Global) {
	if g.StatusGroup == "" {
		return
	}
	if _, err := runfile.GroupID(g.StatusGroup); err != nil {
		f.addAt(g.At["statusgroup"], "missing-group", g.StatusGroup)
	}
}
