package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"

	"ldirectord/fwmark"
	"ldirectord/instance"
	"ldirectord/notify"
	"ldirectord/parser"
)

// findings are what a file can't show: they are about the machine that it is for.
type findings struct {
	file  string
	found parser.Diagnostics
}

func (f *findings) warn(at parser.Position, kind, format string, args ...any) {
	at.File = cmp.Or(at.File, f.file)
	f.found = append(f.found, parser.Diagnostic{Severity: parser.Warning, Kind: kind, Pos: at, Text: fmt.Sprintf(format, args...)})
}

// Advise looks at what the file can't show: who may read its passwords and who may change what root will run,
// which programs, addresses and kernel modules are there, how the kernel treats clients that stay with a quiescent
// server, and what else is about its marks. owns is as for Examine.
func Advise(ctx context.Context, cfg *parser.Config, owns func(fwmark.Setting) bool) parser.Diagnostics {
	f := &findings{file: cfg.Name}
	f.secrets(cfg)
	f.trust(cfg)
	f.programs(cfg)
	f.shell(cfg, notify.Shell("")[0])
	f.group(cfg.Global)
	f.modules(cfg, modulesHere())
	f.stickiness(cfg)
	if owns != nil {
		f.kernel(ctx, cfg, owns)
	}
	return f.found
}

// kernel looks at what only a table in the kernel needs.
func (f *findings) kernel(ctx context.Context, cfg *parser.Config, owns func(fwmark.Setting) bool) {
	f.ipvs(withoutIPVS(ctx, modulesHere(), openTable))
	if here, done := endsHere(); here != nil {
		f.addressesAway(cfg, here)
		done()
	}
	f.marks(ctx, cfg, owns)
}

func (f *findings) secrets(cfg *parser.Config) {
	at, ok := firstSecret(cfg)
	if !ok {
		return
	}
	if info, err := os.Stat(cfg.Name); err == nil && info.Mode().Perm()&0o077 != 0 {
		f.warn(at, "readable-secret", "passwords are in a file of mode %#o; let only its owner read it: chmod 600 %s", info.Mode().Perm(), cfg.Name)
	}
}

func firstSecret(cfg *parser.Config) (parser.Position, bool) {
	for _, v := range cfg.Virtuals {
		for _, name := range []string{"passwd", "secret", "httppasswd"} {
			if at, ok := v.At[name]; ok {
				return at, true
			}
		}
	}
	return parser.Position{}, false
}

// programs warns of external checks whose program can't be run: they fail, so no server would be up.
func (f *findings) programs(cfg *parser.Config) {
	for _, v := range cfg.Virtuals {
		at, written := v.At["checkcommand"]
		switch {
		case !written:
		case v.CheckType == parser.External:
			if _, err := exec.LookPath(v.CheckCommand); err != nil {
				err = cmp.Or(errors.Unwrap(err), err) // its own words have the path twice
				f.warn(at, "missing-program", "the checkcommand can't be run, so every server is down: %v", err)
			}
		case v.CheckType == parser.ExternalPerl:
			if err := readable(v.CheckCommand); err != nil {
				f.warn(at, "missing-program", "the checkcommand can't be read, so every server is down: %v", err)
			}
		}
	}
}

// readable says why a file can't be read.
func readable(path string) error {
	f, err := instance.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func (f *findings) group(g parser.Global) {
	if g.StatusGroup == "" {
		return
	}
	if _, err := user.LookupGroup(g.StatusGroup); err != nil {
		f.warn(g.At["statusgroup"], "missing-group", "there is no group %s here, so only root may ask for the state", g.StatusGroup)
	}
}

// modules warns of schedulers and other modules that this kernel cannot have.
func (f *findings) modules(cfg *parser.Config, kernel kernelModules) {
	if kernel.lacks("ip_vs") {
		return // nothing of the file can be set up here
	}
	told := map[string]bool{}
	for _, v := range cfg.Virtuals {
		for _, n := range neededModules(&v) {
			if told[n.module] || !kernel.lacks(n.module) {
				continue
			}
			told[n.module] = true
			at, written := v.At[n.directive]
			if !written {
				at = v.At["virtual"]
			}
			f.warn(at, "missing-module", "%s", n)
		}
	}
}

func (f *findings) stickiness(cfg *parser.Config) {
	if sysctlIsSet("expire_quiescent_template") {
		return
	}
	for _, v := range cfg.Virtuals {
		if isSticky(&v) {
			f.warn(v.At["persistent"], "sticky-quiescent", "%s; to move them at once: %s", stickyText, set(expireTemplate, "1"))
			return
		}
	}
}

const stickyText = "clients stay with a quiescent server until their persistence ends"

func isSticky(v *parser.Virtual) bool { return v.Persistent > 0 && v.Quiescent }

// sysctlIsSet tells of a switch of IPVS that is on. Without IPVS it has its default, which is off.
func sysctlIsSet(name string) bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/vs/" + name)
	return err == nil && strings.TrimSpace(string(text)) != "0"
}
