package doctor

import (
	"cmp"
	"errors"
	"syscall"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
	"ldirectord/parser"
)

// JudgeOrigins finds addresses, devices and marks that checks use but that this machine lacks or does not permit. The
// daemon starts anyway, because an address may be added later. rights is true if this process has the same rights as
// the checks. Only then can missing rights be found.
func JudgeOrigins(cfg *parser.Config, rights bool) parser.Diagnostics {
	return judgeOrigins(cfg, rights, raw.TryOrigin)
}

func judgeOrigins(cfg *parser.Config, rights bool,
	try func(ipv6 bool, o settings.Origin) (uint32, error)) parser.Diagnostics {
	var f findings
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			_, err := try(v.IPv6, check.Origin)
			var lacking *raw.OriginError
			if !errors.As(err, &lacking) {
				continue
			}
			at := cmp.Or(check.At[lacking.Directive], check.At["virtual"])
			switch forbidden := errors.Is(err, syscall.EPERM); {
			case !forbidden:
				f.addAt(at, "no-origin", lacking)
			case rights:
				f.addAt(at, "no-origin forbidden", lacking)
			}
		}
	}
	return f.diagnostics(cfg.Name)
}
