package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

const product = "../.."

var programs = []string{"./cmd/ldirectord", "./cmd/ldirectord-oracle", "./cmd/ldirectord-import"}

// All modules of the binaries may be redistributed, and no module is left out.
func TestEveryModuleOfTheBinariesMayBeGivenAway(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		modules, err := linked(product, arch, programs...)
		if err == nil {
			err = check(modules)
		}
		testkit.OK(t, err)
		var got []string
		for _, m := range modules[1:] {
			got = append(got, m.path)
		}
		if arch != runtime.GOARCH {
			continue // a build for another architecture takes minutes
		}
		testkit.Same(t, got, ofBinaries(t), "modules, and those of the binaries")
	}
}

// ofBinaries are the modules that the linker recorded in the binaries.
func ofBinaries(t *testing.T) (modules []string) {
	dir := t.TempDir()
	build := exec.Command("go", append([]string{"build", "-trimpath", "-o", dir}, programs...)...)
	build.Dir = product
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	testkit.Run(t, build)
	for _, program := range programs {
		out := testkit.Must(exec.Command("go", "version", "-m",
			filepath.Join(dir, filepath.Base(program))).Output())(t)
		for line := range strings.Lines(string(out)) {
			if words := strings.Fields(line); len(words) > 2 && words[0] == "dep" {
				modules = append(modules, words[1])
			}
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}

func TestALicenceIsKnownByItsText(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"LICENSE", "Apache License\n   Version 2.0, January 2004\n", "Apache-2.0"},
		{"LICENSE.md", "Mozilla Public License Version 2.0\n === \n" +
			"\"Secondary License\" means the GNU General Public License", "MPL-2.0"},
		{"COPYING", "Redistribution and use in source and binary forms, with or without\n" +
			"modification, are permitted", "BSD-2-Clause"},
		{"LICENSE", "Redistribution and use in source and binary forms, with or without\n" +
			"modification, are permitted\n" +
			"from this software without specific prior\nwritten permission", "BSD-3-Clause"},
		{"LICENCE", "Permission is hereby granted, free of charge, to any person obtaining a copy", "Expat"},
		{"LICENSE", "GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991", ""},
		{"LICENSE", "Permission is hereby granted, free of charge, to any person obtaining a copy; files in " +
			"x/ are under the GNU General\nPublic License", ""},
		{"LICENSE", "All rights reserved.", ""},
		{"NOTICE", "Apache License\n   Version 2.0, January 2004\n", ""},
	} {
		m := module{path: "example.org/m", version: "v1", files: []file{{c.file, c.text}}}
		testkit.Equal(t, m.name(), c.want, c.file, c.text)
		if err := check([]module{m}); (err == nil) != (c.want != "") {
			t.Errorf("%s %.40q: %v", c.file, c.text, err)
		}
	}
	if check([]module{{path: "example.org/m"}}) == nil {
		t.Error("a module without a licence may be given away")
	}
}

// Each text that a module's licence requires to be passed on is passed on.
func TestEveryTextIsPassedOn(t *testing.T) {
	modules := testkit.Must(linked(product, "amd64", programs...))(t)
	whole := plain(modules)
	for _, m := range modules {
		for _, f := range m.files {
			testkit.Contains(t, whole, f.text, m.path, f.name)
		}
	}
}

// The copy of Go's licence is that of the Go in use.
func TestGosLicenceIsACopy(t *testing.T) {
	root := testkit.Must(exec.Command("go", "env", "GOROOT").Output())(t)
	for _, f := range library().files {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), f.name))
		if err != nil {
			t.Skip("this Go brings no licence along: ", err)
		}
		testkit.Equal(t, tidy(string(text)), f.text, "Go's", f.name)
	}
}
