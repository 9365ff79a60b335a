package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Packages import only those that this list names, and each that it names. Few packages import each library. Every
// package may import lvs.
func TestWhoMayImportWhom(t *testing.T) {
	ours := map[string][]string{
		"ldirectord/internal/lvs":        nil,
		"ldirectord/internal/printable":  nil,
		"ldirectord/internal/health":     nil,
		"ldirectord/internal/judge":      {"ldirectord/internal/health"},
		"ldirectord/internal/lab/always": {"ldirectord/internal/health"},
		"ldirectord/internal/subprocess": nil,
		"ldirectord/internal/resolve":    {"ldirectord/internal/runfile"},
		"ldirectord/parser": {"ldirectord/checker/settings", "ldirectord/internal/resolve",
			"ldirectord/internal/printable"},
		"ldirectord/checker": {"ldirectord/internal/raw", "ldirectord/checker/icmp",
			"ldirectord/checker/settings", "ldirectord/checker/wire", "ldirectord/internal/health",
			"ldirectord/internal/runfile"},
		"ldirectord/checker/protocol": {"ldirectord/checker/icmp", "ldirectord/checker",
			"ldirectord/checker/oracle", "ldirectord/checker/perlre", "ldirectord/checker/query",
			"ldirectord/checker/seal", "ldirectord/checker/settings", "ldirectord/checker/transcript",
			"ldirectord/checker/wire", "ldirectord/internal/health", "ldirectord/internal/subprocess"},
		"ldirectord/checker/seal": {"ldirectord/checker", "ldirectord/checker/transcript",
			"ldirectord/checker/wire", "ldirectord/internal/printable"},
		"ldirectord/checker/settings": nil,
		"ldirectord/checker/icmp":     {"ldirectord/checker/settings", "ldirectord/internal/raw"},
		"ldirectord/checker/perlre":   nil,
		"ldirectord/ipvsctl":          {"ldirectord/internal/raw", "ldirectord/internal/subprocess"},
		"ldirectord/internal/notify":  {"ldirectord/internal/subprocess"},
		"ldirectord/internal/notify/mail": {"ldirectord/internal/notify", "ldirectord/internal/printable",
			"ldirectord/internal/subprocess"},
		"ldirectord/internal/notify/webhook": {"ldirectord/internal/notify", "ldirectord/internal/printable"},
		"ldirectord/internal/history": {"ldirectord/checker", "ldirectord/checker/wire",
			"ldirectord/internal/printable"},
		"ldirectord/internal/fwmark": {"ldirectord/internal/printable",
			"ldirectord/internal/subprocess"},
		"ldirectord/internal/announce": {"ldirectord/internal/runfile"},
		"ldirectord/internal/runfile":  nil,
		"ldirectord/internal/socket":   {"ldirectord/internal/runfile"},
		"ldirectord/internal/instance": {"ldirectord/ipvsctl", "ldirectord/internal/judge",
			"ldirectord/internal/runfile"},
		"ldirectord/internal/maintenance": {"ldirectord/internal/printable", "ldirectord/internal/runfile"},
		"ldirectord/internal/orders": {"ldirectord/internal/maintenance", "ldirectord/parser",
			"ldirectord/internal/printable", "ldirectord/internal/runfile"},
		"ldirectord/internal/plan": {"ldirectord/checker", "ldirectord/checker/settings",
			"ldirectord/internal/health", "ldirectord/internal/schedule", "ldirectord/internal/judge",
			"ldirectord/internal/orders", "ldirectord/parser"},
		"ldirectord/internal/core": {"ldirectord/internal/announce", "ldirectord/checker",
			"ldirectord/internal/health", "ldirectord/internal/schedule", "ldirectord/checker/wire",
			"ldirectord/internal/history", "ldirectord/internal/judge", "ldirectord/internal/maintenance",
			"ldirectord/internal/notify", "ldirectord/internal/notify/monitorfile",
			"ldirectord/internal/orders", "ldirectord/parser", "ldirectord/internal/plan",
			"ldirectord/internal/view"},
		"ldirectord/internal/director": {"ldirectord/internal/announce", "ldirectord/internal/schedule",
			"ldirectord/internal/core", "ldirectord/ipvsctl", "ldirectord/internal/judge",
			"ldirectord/internal/maintenance", "ldirectord/internal/orders", "ldirectord/internal/plan",
			"ldirectord/internal/view"},
		"ldirectord/internal/doctor": {"ldirectord/checker/settings", "ldirectord/internal/raw",
			"ldirectord/internal/announce", "ldirectord/checker", "ldirectord/checker/wire",
			"ldirectord/checker/icmp", "ldirectord/checker/oracle", "ldirectord/internal/fwmark",
			"ldirectord/internal/instance", "ldirectord/internal/judge", "ldirectord/internal/view",
			"ldirectord/ipvsctl", "ldirectord/internal/notify", "ldirectord/internal/notify/mail",
			"ldirectord/parser", "ldirectord/internal/plan", "ldirectord/internal/printable",
			"ldirectord/internal/subprocess", "ldirectord/internal/runfile", "ldirectord/internal/viavip"},
		"ldirectord/internal/shadow": {"ldirectord/checker", "ldirectord/checker/wire",
			"ldirectord/internal/director", "ldirectord/ipvsctl", "ldirectord/internal/maintenance",
			"ldirectord/parser", "ldirectord/internal/plan", "ldirectord/internal/view"},
		"ldirectord/internal/whatif": {"ldirectord/internal/announce", "ldirectord/checker",
			"ldirectord/internal/schedule", "ldirectord/internal/core", "ldirectord/ipvsctl",
			"ldirectord/internal/judge", "ldirectord/internal/maintenance", "ldirectord/internal/orders",
			"ldirectord/internal/plan", "ldirectord/internal/view"},
		"ldirectord/internal/viavip": {"ldirectord/checker", "ldirectord/checker/wire",
			"ldirectord/ipvsctl", "ldirectord/internal/runfile"},
		"ldirectord/internal/view": {"ldirectord/checker", "ldirectord/internal/health",
			"ldirectord/checker/wire", "ldirectord/internal/history", "ldirectord/internal/judge",
			"ldirectord/internal/orders"},
		"ldirectord/internal/status": {"ldirectord/checker", "ldirectord/checker/wire",
			"ldirectord/internal/history", "ldirectord/internal/judge", "ldirectord/internal/orders",
			"ldirectord/internal/printable", "ldirectord/internal/view"},
		"ldirectord/internal/daemon": {"ldirectord/internal/announce", "ldirectord/checker",
			"ldirectord/checker/icmp", "ldirectord/checker/protocol", "ldirectord/checker/seal",
			"ldirectord/internal/socket", "ldirectord/internal/core", "ldirectord/internal/director",
			"ldirectord/internal/doctor", "ldirectord/internal/fwmark", "ldirectord/internal/instance",
			"ldirectord/ipvsctl", "ldirectord/internal/maintenance", "ldirectord/internal/resolve",
			"ldirectord/internal/notify", "ldirectord/internal/notify/mail",
			"ldirectord/internal/notify/monitorfile", "ldirectord/internal/notify/webhook",
			"ldirectord/internal/orders", "ldirectord/internal/page", "ldirectord/parser",
			"ldirectord/internal/plan", "ldirectord/internal/printable", "ldirectord/internal/runfile",
			"ldirectord/internal/status", "ldirectord/internal/viavip", "ldirectord/internal/view"},
		"ldirectord/internal/page": {"ldirectord/internal/printable", "ldirectord/internal/status",
			"ldirectord/internal/view"},
		"ldirectord/cmd/ldirectord": {"ldirectord/checker", "ldirectord/checker/icmp",
			"ldirectord/internal/schedule", "ldirectord/checker/transcript", "ldirectord/checker/wire",
			"ldirectord/internal/socket", "ldirectord/internal/core", "ldirectord/internal/daemon",
			"ldirectord/internal/doctor", "ldirectord/internal/fwmark", "ldirectord/internal/instance",
			"ldirectord/ipvsctl", "ldirectord/internal/orders", "ldirectord/parser",
			"ldirectord/internal/plan", "ldirectord/internal/printable", "ldirectord/internal/runfile",
			"ldirectord/internal/shadow", "ldirectord/internal/status", "ldirectord/internal/view",
			"ldirectord/internal/whatif"},
		"ldirectord/internal/docs": {"ldirectord/checker/settings", "ldirectord/parser"},

		"ldirectord/checker/oracle": nil,
		"ldirectord/checker/query":  nil,
		"ldirectord/internal/raw":   {"ldirectord/checker/settings"},
		"ldirectord/internal/schedule": {"ldirectord/checker/settings", "ldirectord/checker",
			"ldirectord/checker/icmp", "ldirectord/internal/raw", "ldirectord/checker/transcript",
			"ldirectord/checker/wire"},
		"ldirectord/checker/transcript": {"ldirectord/internal/printable"},
		"ldirectord/checker/wire": {"ldirectord/checker/settings", "ldirectord/internal/raw",
			"ldirectord/checker/transcript", "ldirectord/internal/printable"},
		"ldirectord/internal/notify/monitorfile": {"ldirectord/checker", "ldirectord/checker/wire",
			"ldirectord/parser"},
		"ldirectord/cmd/ldirectord-oracle": {"ldirectord/checker/oracle", "ldirectord/checker/query"},
		"ldirectord/cmd/ldirectord-import": {"ldirectord/internal/keepalived",
			"ldirectord/internal/printable", "ldirectord/internal/runfile"},
		"ldirectord/internal/keepalived": {"ldirectord/internal/printable",
			"ldirectord/internal/runfile", "ldirectord/parser"},

		"ldirectord/internal/testkit":            nil,
		"ldirectord/internal/testkit/nameserver": {"ldirectord/internal/testkit"},
		"ldirectord/internal/lab":                nil,
		"ldirectord/internal/lab/managers":       nil,
		"ldirectord/internal/lab/peers":          nil,
	}
	libraries := map[string][]string{
		"github.com/moby/ipvs": {"ldirectord/ipvsctl"},
		"github.com/vishvananda/": {"ldirectord/internal/announce", "ldirectord/internal/doctor",
			"ldirectord/ipvsctl",
			"ldirectord/internal/viavip"},
		"github.com/mdlayher/":    {"ldirectord/internal/doctor"},
		"github.com/go-ping/ping": {"ldirectord/checker/icmp"},
		"golang.org/x/net/": {"ldirectord/checker/icmp", "ldirectord/internal/daemon",
			"ldirectord/internal/doctor"},
		"github.com/miekg/dns": {"ldirectord/checker/protocol",
			"ldirectord/internal/testkit/nameserver"},
		"layeh.com/radius":              {"ldirectord/checker/protocol"},
		"github.com/go-ldap/ldap":       {"ldirectord/checker/protocol"},
		"github.com/go-sql-driver":      {"ldirectord/checker/protocol"},
		"github.com/jackc/pgx":          {"ldirectord/checker/protocol"},
		"github.com/xdg-go/":            {"ldirectord/checker/protocol"},
		"github.com/sijms/go-ora":       {"ldirectord/cmd/ldirectord-oracle"},
		"github.com/dlclark/regexp2":    {"ldirectord/checker/perlre"},
		"github.com/sirupsen/logrus":    {"ldirectord/internal/daemon", "ldirectord/ipvsctl"},
		"github.com/fsnotify/fsnotify":  {"ldirectord/internal/daemon"},
		"github.com/spf13/pflag":        {"ldirectord/cmd/ldirectord"},
		"github.com/coreos/go-iptables": {"ldirectord/internal/fwmark"},
	}
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "ldirectord/...")
	out := testkit.Must(list.Output())(t, "go list")
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		words := strings.Fields(line)
		pkg, imports := words[0], words[1:]
		allowed, known := ours[pkg]
		if !known {
			t.Errorf("%s: a package that this test does not know", pkg)
		}
		for _, i := range allowed {
			if !slices.Contains(imports, i) {
				t.Errorf("%s may import %s, and does not", pkg, i)
			}
		}
		for _, i := range imports {
			if strings.HasPrefix(i, "ldirectord/") && i != "ldirectord/internal/lvs" &&
				!slices.Contains(allowed, i) {
				t.Errorf("%s imports %s", pkg, i)
			}
			for library, users := range libraries {
				if strings.HasPrefix(i, library) && !slices.Contains(users, pkg) {
					t.Errorf("%s imports %s: only %v may", pkg, i, users)
				}
			}
		}
	}
}

// Modules that both the program and tools use have the same version in both, and both are built by the same Go.
func TestModulesHaveOneVersion(t *testing.T) {
	program, tools := versions(t, "../../go.mod"), versions(t, "../../tools/go.mod")
	if len(program) < 10 || len(tools) < 3 {
		t.Fatalf("too few versions are read: %v, %v", program, tools)
	}
	for name, version := range tools {
		if of := program[name]; of != "" && of != version {
			t.Errorf("%s: the program has %s, tools %s", name, of, version)
		}
	}
}

// versions are the versions in a go.mod, with that of Go.
func versions(t *testing.T, file string) map[string]string {
	out := testkit.Must(exec.Command("go", "mod", "edit", "-json", file).Output())(t, "go mod edit", file)
	var mod struct {
		Go, Toolchain string
		Require       []struct{ Path, Version string }
	}
	testkit.OK(t, json.Unmarshal(out, &mod))
	found := map[string]string{"go": mod.Go, "toolchain": mod.Toolchain}
	for _, r := range mod.Require {
		found[r.Path] = r.Version
	}
	return found
}

// The kernel's table is opened in one place, which --ipvs selects. All other code uses ipvsctl.Access, so that
// another kind of table needs no change there.
func TestTheTableIsOpenedInOnePlace(t *testing.T) {
	out := testkit.Must(exec.Command("go", "list", "-deps", "-f",
		`{{$p := .}}{{range .GoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`,
		".").Output())(t, "go list")
	opening := regexp.MustCompile(`ipvsctl\.(Open|Kernel)\b|instance\.Kernel\b|defaultIPVS\b|` +
		`\bNETLINK_GENERIC\b|moby/ipvs|modprobe"`)
	want := map[string]int{
		"ldirectord/cmd/ldirectord/options.go defaultIPVS":      3, // as the default of --ipvs
		"ldirectord/cmd/ldirectord/options.go ipvsctl.Open":     1,
		"ldirectord/cmd/ldirectord/options.go ipvsctl.Kernel":   1,
		"ldirectord/internal/instance/daemon.go ipvsctl.Kernel": 1,
	}
	found := map[string]int{}
	for line := range strings.Lines(string(out)) {
		pkg, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !strings.HasPrefix(pkg, "ldirectord/") || pkg == "ldirectord/ipvsctl" {
			continue
		}
		text := testkit.Read(t, path)
		for _, word := range opening.FindAllString(text, -1) {
			found[pkg+"/"+filepath.Base(path)+" "+word]++
		}
	}
	testkit.Same(t, found, want, "found")
}
