package main

import (
	"embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is one of those that are linked in. Go's own library counts as one.
type module struct {
	path, version string
	files         []file // its licence first
}

// file is one that says under which terms a module comes, or who made it.
type file struct {
	name, text string
}

// ofPackage has go list print the module of a package, unless that is ours or Go's own.
const ofPackage = `{{with .Module}}{{if not .Main}}` +
	`{{.Path}}{{"\t"}}{{.Version}}{{"\t"}}{{.Dir}}{{"\t"}}{{$.Dir}}{{end}}{{end}}`

// linked returns the modules of packages, which are in a folder, and of all that they import, in order of their paths.
func linked(folder, arch string, packages ...string) ([]module, error) {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", ofPackage}, packages...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", strings.Join(packages, " "), err)
	}
	found := map[string]*module{}
	dirs := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Split(strings.TrimSpace(line), "\t")
		if len(words) != 4 {
			continue
		}
		m := found[words[0]]
		if m == nil {
			m = &module{path: words[0], version: words[1]}
			found[m.path] = m
		}
		if err := m.collect(words[2], words[3], dirs); err != nil {
			return nil, err
		}
	}
	modules := []module{library()}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		modules = append(modules, *found[path])
	}
	return modules, nil
}

//go:embed go
var goTerms embed.FS

// library is Go's own. Its licence has a copy here: not every distribution's Go brings it along.
func library() module {
	version, _ := exec.Command("go", "env", "GOVERSION").Output()
	m := module{path: "Go", version: strings.TrimPrefix(strings.TrimSpace(string(version)), "go")}
	for _, name := range []string{"LICENSE", "PATENTS"} {
		text, _ := goTerms.ReadFile("go/" + name)
		m.files = append(m.files, file{name, tidy(string(text))})
	}
	return m
}

var (
	terms = regexp.MustCompile(
		`(?i)^(licen[cs]e|copying|copyright|notice|patents|attrib|authors)(-.*|\.txt|\.md)?$`)
	lineEnds = regexp.MustCompile(`(?m)[ \t\f]+$`)
	source   = regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)
)

// collect reads the files with terms of a package's folder and of those above it, up to the module's.
func (m *module) collect(root, dir string, seen map[string]bool) error {
	for ; !seen[dir]; dir = filepath.Dir(dir) {
		seen[dir] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		for _, e := range entries {
			if e.IsDir() || !terms.MatchString(e.Name()) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return fmt.Errorf("%s: %w", m.path, err)
			}
			name, _ := filepath.Rel(root, filepath.Join(dir, e.Name()))
			m.files = append(m.files, file{name, tidy(string(text))})
		}
		if dir == root {
			break
		}
	}
	slices.SortFunc(m.files, func(a, b file) int { return strings.Compare(a.rank(), b.rank()) })
	return nil
}

// rank orders files: the licence comes first, and then the names count.
func (f file) rank() string {
	if source.MatchString(f.name) {
		return "0" + f.name
	}
	return "1" + f.name
}

// tidy has no blanks at the end of a line, no empty lines around, and no carriage returns.
func tidy(text string) string {
	text = lineEnds.ReplaceAllString(strings.ReplaceAll(text, "\r", ""), "")
	return strings.Trim(text, "\n") + "\n"
}
