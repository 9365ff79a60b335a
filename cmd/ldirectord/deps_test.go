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

// Packages import only those that testdata/imports.txt names, and each that it names. Few packages import each
// library. Every package may import lvs.
func TestWhoMayImportWhom(t *testing.T) {
	ours, libraries := importLists(t, "testdata/imports.txt"), importLists(t, "testdata/libraries.txt")
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "ldirectord/...")
	out := testkit.Must(list.Output())(t, "go list")
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		words := strings.Fields(line)
		pkg, imports := strings.TrimPrefix(words[0], "ldirectord/"), words[1:]
		allowed, known := ours[pkg]
		if !known {
			t.Errorf("%s: a package that this test does not know", pkg)
		}
		for _, i := range allowed {
			if !slices.Contains(imports, "ldirectord/"+i) {
				t.Errorf("%s may import %s, and does not", pkg, i)
			}
		}
		for _, i := range imports {
			own, isOurs := strings.CutPrefix(i, "ldirectord/")
			if isOurs && own != "internal/lvs" && !slices.Contains(allowed, own) {
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

// importLists reads a list of packages, below each of which are others, indented.
func importLists(t *testing.T, path string) map[string][]string {
	t.Helper()
	list, of := map[string][]string{}, ""
	for line := range strings.Lines(testkit.Read(t, path)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case line[0] == ' ':
			list[of] = append(list[of], words...)
		default:
			of = words[0]
			list[of] = nil
		}
	}
	return list
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
