package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/docs"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// Each directive of the chapters about checks, with each check type and each service: it is refused, or it is warned
// of, or the check differs with it, and with a service that the check speaks also the row of the service names it
// (checker.TestServicesUseWhatTheirRowsName proves those rows).
func TestEachDirectiveOfChecksIsUsedOrWarnedOf(t *testing.T) {
	lines := map[string]string{}
	for _, row := range testkit.Table(t, "testdata/uses.txt", 2) {
		lines[row[0]] = strings.ReplaceAll(row[1], "; ", "\n\t")
	}
	specs := func(src string) (all map[checker.Spec]bool, found parser.Diagnostics) {
		cfg, found := parser.Parse(t.Context(), "t.cf", []byte(src), parser.Options{})
		all = map[checker.Spec]bool{}
		if cfg != nil {
			New(cfg, func(s checker.Spec) (checker.Checker, error) {
				if s.Type == "ping" || s.Command != "" { // their checkers have no use for the port
					s.Target = netip.AddrPortFrom(s.Target.Addr(), 0)
				}
				all[s] = true
				return nil, nil
			})
		}
		return all, found
	}
	chapters := []string{"The check", "TLS", "HTTP", "Dialogues and DNS"}
	for _, d := range docs.Directives() {
		line := lines[d.Name]
		isAxis := d.Name == "checktype" || d.Name == "service"
		if (slices.Contains(chapters, d.Chapter) && !isAxis) != (line != "") {
			t.Errorf("%s is in the chapter %s; its row in internal/plan/testdata/uses.txt: %q", d.Name,
				d.Chapter, line)
		}
		if line == "" {
			continue
		}
		for _, kind := range []string{"negotiate", "3", "connect", "ping", "external", "external-perl"} {
			for service := range settings.Services() {
				bare := fmt.Sprintf("virtual=192.0.2.1:99\n\treal=192.0.2.2:99 gate\n\tchecktype=%s\n"+
					"\tservice=%s\n", kind, service.Name)
				before, was := specs(bare)
				after, found := specs(bare + "\t" + line + "\n")
				same := len(before) == len(after)
				for s := range before {
					same = same && after[s]
				}
				warned := slices.ContainsFunc(found, func(f parser.Diagnostic) bool {
					return f.Pos.Line > 4 && strings.Contains(f.Text, d.Name)
				})
				takes := service.Takes(d.Name) || service.Is(settings.OverTLS) &&
					strings.Contains(d.Services, "starttls=yes")
				switch speaks := kind == "negotiate" || kind == "3"; {
				case was.HasErrors():
					t.Fatal(was)
				case found.HasErrors():
				case speaks && d.Services != "" && warned == takes, same && !warned, !same && warned &&
					!speaks:
					t.Errorf("checktype=%s service=%s %s: the check is the same: %v, there is a "+
						"warning: %v; internal/plan/spec.go makes the check, the row in "+
						"checker/settings/service.go the warning",
						kind, service.Name, line, same, warned)
				}
			}
		}
	}
}
