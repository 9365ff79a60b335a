package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Packages import only those below them, and each library is imported by one package. Every package may import lvs.
func TestWhoMayImportWhom(t *testing.T) {
	ours := map[string][]string{
		"ldirectord/lvs":            nil,
		"ldirectord/printable":      nil,
		"ldirectord/checker/health": nil,
		"ldirectord/judge":          {"ldirectord/checker/health"},
		"ldirectord/lab/always":     {"ldirectord/checker/health"},
		"ldirectord/program":        nil,
		"ldirectord/names":          {"ldirectord/printable", "ldirectord/run"},
		"ldirectord/parser":         {"ldirectord/names", "ldirectord/printable"},
		"ldirectord/checker":        {"ldirectord/checker/health", "ldirectord/checker/icmp", "ldirectord/checker/oracle", "ldirectord/checker/perlre", "ldirectord/checker/query", "ldirectord/checker/transcript", "ldirectord/checker/wire", "ldirectord/printable", "ldirectord/program", "ldirectord/run"},
		"ldirectord/checker/icmp":   nil,
		"ldirectord/checker/perlre": nil,
		"ldirectord/ipvsctl":        {"ldirectord/checker/raw", "ldirectord/program"},
		"ldirectord/notify":         {"ldirectord/program"},
		"ldirectord/notify/mail":    {"ldirectord/notify", "ldirectord/printable", "ldirectord/program"},
		"ldirectord/notify/webhook": {"ldirectord/notify", "ldirectord/printable"},
		"ldirectord/history":        {"ldirectord/checker", "ldirectord/checker/wire", "ldirectord/printable"},
		"ldirectord/fwmark":         {"ldirectord/printable", "ldirectord/program"},
		"ldirectord/announce":       {"ldirectord/run"},
		"ldirectord/run":            nil,
		"ldirectord/control":        {"ldirectord/printable", "ldirectord/run"},
		"ldirectord/instance":       {"ldirectord/ipvsctl", "ldirectord/judge", "ldirectord/run"},
		"ldirectord/maintenance":    {"ldirectord/parser", "ldirectord/printable", "ldirectord/run"},
		"ldirectord/orders":         {"ldirectord/maintenance", "ldirectord/parser", "ldirectord/printable", "ldirectord/run"},
		"ldirectord/plan":           {"ldirectord/checker", "ldirectord/checker/health", "ldirectord/checker/schedule", "ldirectord/fwmark", "ldirectord/judge", "ldirectord/orders", "ldirectord/parser"},
		"ldirectord/core":           {"ldirectord/announce", "ldirectord/checker", "ldirectord/checker/health", "ldirectord/checker/schedule", "ldirectord/checker/wire", "ldirectord/history", "ldirectord/judge", "ldirectord/maintenance", "ldirectord/notify", "ldirectord/notify/monitorfile", "ldirectord/orders", "ldirectord/parser", "ldirectord/plan", "ldirectord/view"},
		"ldirectord/director":       {"ldirectord/announce", "ldirectord/checker/schedule", "ldirectord/core", "ldirectord/ipvsctl", "ldirectord/judge", "ldirectord/maintenance", "ldirectord/orders", "ldirectord/plan", "ldirectord/view"},
		"ldirectord/doctor":         {"ldirectord/announce", "ldirectord/checker", "ldirectord/checker/wire", "ldirectord/checker/icmp", "ldirectord/checker/oracle", "ldirectord/fwmark", "ldirectord/instance", "ldirectord/ipvsctl", "ldirectord/notify", "ldirectord/notify/mail", "ldirectord/parser", "ldirectord/plan", "ldirectord/printable", "ldirectord/program", "ldirectord/run", "ldirectord/through"},
		"ldirectord/shadow":         {"ldirectord/checker", "ldirectord/checker/wire", "ldirectord/director", "ldirectord/ipvsctl", "ldirectord/maintenance", "ldirectord/parser", "ldirectord/plan", "ldirectord/view"},
		"ldirectord/through":        {"ldirectord/checker", "ldirectord/checker/wire", "ldirectord/ipvsctl", "ldirectord/run"},
		"ldirectord/view":           {"ldirectord/checker", "ldirectord/checker/health", "ldirectord/checker/wire", "ldirectord/history", "ldirectord/judge", "ldirectord/orders"},
		"ldirectord/status":         {"ldirectord/checker", "ldirectord/checker/wire", "ldirectord/history", "ldirectord/judge", "ldirectord/orders", "ldirectord/printable", "ldirectord/view"},
		"ldirectord/daemon":         {"ldirectord/announce", "ldirectord/checker", "ldirectord/checker/icmp", "ldirectord/control", "ldirectord/core", "ldirectord/director", "ldirectord/doctor", "ldirectord/fwmark", "ldirectord/instance", "ldirectord/ipvsctl", "ldirectord/maintenance", "ldirectord/names", "ldirectord/notify", "ldirectord/notify/mail", "ldirectord/notify/monitorfile", "ldirectord/notify/webhook", "ldirectord/orders", "ldirectord/page", "ldirectord/parser", "ldirectord/plan", "ldirectord/printable", "ldirectord/run", "ldirectord/status", "ldirectord/through", "ldirectord/view"},
		"ldirectord/page":           {"ldirectord/printable", "ldirectord/status"},
		"ldirectord/cmd/ldirectord": {"ldirectord/checker", "ldirectord/checker/icmp", "ldirectord/checker/schedule", "ldirectord/checker/transcript", "ldirectord/checker/wire", "ldirectord/control", "ldirectord/core", "ldirectord/daemon", "ldirectord/doctor", "ldirectord/fwmark", "ldirectord/instance", "ldirectord/ipvsctl", "ldirectord/orders", "ldirectord/parser", "ldirectord/plan", "ldirectord/printable", "ldirectord/run", "ldirectord/shadow", "ldirectord/status", "ldirectord/view"},
		"ldirectord/docs":           {"ldirectord/lvs", "ldirectord/parser"},

		"ldirectord/checker/oracle":        nil,
		"ldirectord/checker/query":         nil,
		"ldirectord/checker/raw":           nil,
		"ldirectord/checker/schedule":      {"ldirectord/checker", "ldirectord/checker/icmp", "ldirectord/checker/raw", "ldirectord/checker/transcript", "ldirectord/checker/wire"},
		"ldirectord/checker/transcript":    {"ldirectord/printable"},
		"ldirectord/checker/wire":          {"ldirectord/checker/raw", "ldirectord/checker/transcript", "ldirectord/printable"},
		"ldirectord/notify/monitorfile":    {"ldirectord/checker", "ldirectord/checker/wire", "ldirectord/parser"},
		"ldirectord/cmd/ldirectord-oracle": {"ldirectord/checker/oracle", "ldirectord/checker/query"},

		"ldirectord/lab":          nil,
		"ldirectord/lab/managers": nil,
		"ldirectord/lab/peers":    nil,
	}
	libraries := map[string][]string{
		"github.com/moby/ipvs": {"ldirectord/ipvsctl"},
		"github.com/vishvananda/": {"ldirectord/announce", "ldirectord/doctor", "ldirectord/ipvsctl",
			"ldirectord/through"},
		"github.com/mdlayher/":          {"ldirectord/doctor"},
		"github.com/go-ping/ping":       {"ldirectord/checker/icmp"},
		"golang.org/x/net/":             {"ldirectord/checker/icmp", "ldirectord/doctor"},
		"github.com/miekg/dns":          {"ldirectord/checker"},
		"layeh.com/radius":              {"ldirectord/checker"},
		"github.com/go-ldap/ldap":       {"ldirectord/checker"},
		"github.com/go-sql-driver":      {"ldirectord/checker"},
		"github.com/jackc/pgx":          {"ldirectord/checker"},
		"github.com/xdg-go/":            {"ldirectord/checker"},
		"github.com/sijms/go-ora":       {"ldirectord/cmd/ldirectord-oracle"},
		"github.com/dlclark/regexp2":    {"ldirectord/checker/perlre"},
		"github.com/sirupsen/logrus":    {"ldirectord/daemon", "ldirectord/ipvsctl"},
		"github.com/fsnotify/fsnotify":  {"ldirectord/daemon"},
		"github.com/spf13/pflag":        {"ldirectord/cmd/ldirectord"},
		"github.com/coreos/go-iptables": {"ldirectord/fwmark"},
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "ldirectord/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		words := strings.Fields(line)
		pkg, imports := words[0], words[1:]
		allowed, known := ours[pkg]
		if !known {
			t.Errorf("%s: a package that this test does not know", pkg)
		}
		for _, i := range imports {
			if strings.HasPrefix(i, "ldirectord/") && i != "ldirectord/lvs" && !slices.Contains(allowed, i) {
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
	out, err := exec.Command("go", "mod", "edit", "-json", file).Output()
	if err != nil {
		t.Fatalf("go mod edit %s: %v", file, err)
	}
	var mod struct {
		Go, Toolchain string
		Require       []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{"go": mod.Go, "toolchain": mod.Toolchain}
	for _, r := range mod.Require {
		found[r.Path] = r.Version
	}
	return found
}

// The kernel's table is opened in one place, which --ipvs selects. All other code uses ipvsctl.Access, so that
// another kind of table needs no change there.
func TestTheTableIsOpenedInOnePlace(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{$p := .}}{{range .GoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`, ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	opening := regexp.MustCompile(`ipvsctl\.(Open|Kernel)\b|instance\.Kernel\b|defaultIPVS\b|\bNETLINK_GENERIC\b|moby/ipvs|modprobe"`)
	want := map[string]int{
		"ldirectord/cmd/ldirectord/options.go defaultIPVS":    3, // as the default of --ipvs
		"ldirectord/cmd/ldirectord/options.go ipvsctl.Open":   1,
		"ldirectord/cmd/ldirectord/options.go ipvsctl.Kernel": 1,
		"ldirectord/instance/daemon.go ipvsctl.Kernel":        1,
	}
	found := map[string]int{}
	for line := range strings.Lines(string(out)) {
		pkg, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !strings.HasPrefix(pkg, "ldirectord/") || pkg == "ldirectord/ipvsctl" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range opening.FindAllString(string(text), -1) {
			found[pkg+"/"+filepath.Base(path)+" "+word]++
		}
	}
	if !maps.Equal(found, want) {
		t.Errorf("found\n%v\nwant\n%v", found, want)
	}
}
