package instance

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/internal/runfile"
)

// ConfigDirs are the folders that are searched for a configuration. After them its name is used as a path.
type ConfigDirs []string

// Paths returns the possible paths of a configuration, in the order in which they are tried. The name "" means the
// default one.
func (d ConfigDirs) Paths(name string) (found []string) {
	name = cmp.Or(name, "ldirectord.cf")
	for _, dir := range d {
		found = append(found, filepath.Join(dir, name))
	}
	if here, err := filepath.Abs(name); err == nil && !slices.Contains(found, here) {
		found = append(found, here)
	}
	return found
}

// Find returns the absolute path of a configuration; the error is Missing.
func (d ConfigDirs) Find(name string) (string, error) {
	looked := d.Paths(name)
	for i, path := range looked {
		info, err := runfile.Stat(path)
		if err == nil && info.Mode().IsRegular() && !strings.HasSuffix(name, "/") { // which names a folder
			return path, nil
		}
		if err == nil {
			looked[i] += " (not a regular file)"
		}
	}
	if filepath.IsAbs(name) {
		looked = looked[len(d):]
	}
	return "", Missing{cmp.Or(name, "ldirectord.cf"), strings.Join(looked, ", ")}
}

// Missing is a configuration that is nowhere.
type Missing struct{ name, looked string }

func (m Missing) Error() string { return "Config file " + m.name + " not found" } // the Perl ldirectord's text

// Looked is where it was looked for.
func (m Missing) Looked() string {
	return "looked for " + m.looked + "; see ldirectord --help files"
}
