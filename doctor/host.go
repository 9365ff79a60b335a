package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// absence is why the kernel has no IPVS, and the command that mends it, if one can; zero where it has IPVS.
type absence struct{ why, command string }

func (a absence) String() string {
	return "the kernel has no IPVS, so no virtual service can be set up: " + a.why
}

// withoutIPVS asks for the absence of IPVS; the daemon loads the module where it can be loaded. The kernel itself is
// asked only where no list of its modules says so, as in a container.
func withoutIPVS(ctx context.Context, kernel kernelModules, open func(context.Context) (ipvsctl.Client, error)) absence {
	if _, err := os.Stat(filepath.Join(kernel.loaded, "ip_vs")); err == nil {
		return absence{}
	}
	if len(kernel.listed) > 0 {
		if kernel.lacks("ip_vs") {
			return absence{why: "it has no module ip_vs; install the package that has it"}
		}
		return absence{}
	}
	table, err := open(ctx)
	if err == nil {
		table.Close()
		return absence{}
	}
	if !errors.Is(err, syscall.ENOENT) {
		return absence{} // it is there, but not for us
	}
	return absence{"the module ip_vs is not loaded; from within a container it must be loaded on the host", "modprobe ip_vs"}
}

// openTable opens the kernel's table.
func openTable(ctx context.Context) (ipvsctl.Client, error) { return ipvsctl.Open(ctx) }

// ipvs warns of a kernel in which nothing of the file can be set up.
func (f *findings) ipvs(missing absence) {
	text := missing.String()
	if missing.command != "" {
		text += "; to mend it: " + missing.command
	}
	if missing.why != "" {
		f.warn(parser.Position{}, "no-ipvs", "%s", text)
	}
}

// addressesAway warns of virtual addresses whose packets pass this machine by, once for all of them: a file that
// is looked at elsewhere has none of its own there.
func (f *findings) addressesAway(cfg *parser.Config, here func(netip.Addr) bool) {
	var at parser.Position
	away := map[netip.Addr]bool{}
	var first netip.Addr
	for i := range cfg.Virtuals {
		addr := cfg.Virtuals[i].Addr.Addr()
		if !addr.IsValid() || addr.IsUnspecified() || away[addr] || here(addr) {
			continue
		}
		if len(away) == 0 {
			at, first = cfg.Virtuals[i].At["virtual"], addr
		}
		away[addr] = true
	}
	if len(away) == 0 {
		return
	}
	more := ""
	if n := len(away) - 1; n > 0 {
		more = fmt.Sprintf("; the same of %d more", n)
	}
	f.warn(at, "virtual-address", "%s%s", offMachine(netip.PrefixFrom(first, first.BitLen())), more)
}

// endsHere tells which addresses this machine takes packets for; nil when that can't be asked.
func endsHere() (here func(netip.Addr) bool, done func()) {
	devices, err := devicesHere()
	if err != nil {
		return nil, func() {}
	}
	r, err := openRouter(devices)
	if err != nil {
		return nil, func() {}
	}
	return func(addr netip.Addr) bool {
		way, err := r.to(addr, 0)
		return err != nil || way.local
	}, r.close
}

// shell warns of command lines where no shell can run them, as in an image with the program alone.
func (f *findings) shell(cfg *parser.Config, sh string) {
	if _, err := exec.LookPath(sh); err == nil {
		return
	}
	told := map[parser.Position]bool{}
	warn := func(line, directive string, at parser.Position) {
		if line == "" || told[at] {
			return
		}
		told[at] = true
		f.warn(at, "missing-shell", "there is no %s here, so %s never runs", sh, directive)
	}
	warn(cfg.Global.FallbackCommand, "fallbackcommand", cfg.Global.At["fallbackcommand"])
	warn(strings.Join(cfg.Global.Execute, " "), "execute", cfg.Global.At["execute"])
	for _, v := range cfg.Virtuals {
		if at, own := v.At["fallbackcommand"]; own {
			warn(v.FallbackCommand, "fallbackcommand", at)
		}
		at, own := v.At["onchange"]
		if !own {
			at = cfg.Global.At["onchange"]
		}
		warn(v.OnChange, "onchange", at)
	}
}
