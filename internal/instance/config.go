package instance

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/internal/runfile"
)

// ConfigDirs are the folders that are searched for a configuration. If it is in none of them, its name is used as a
// path.
type ConfigDirs []string

// Paths returns the possible paths of a configuration, in the order in which they are tried. The name "" means the
// default configuration.
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

// Find returns the absolute path of a configuration. The error is a Missing.
func (d ConfigDirs) Find(name string) (string, error) {
	looked := d.Paths(name)
	for i, path := range looked {
		info, err := runfile.Stat(path)
		if err == nil && info.Mode().IsRegular() && !strings.HasSuffix(name, "/") { // a final / is a folder
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

// Missing is the error for a configuration that is not found.
type Missing struct{ name, looked string }

func (m Missing) Error() string { return "Config file " + m.name + " not found" } // the Perl ldirectord's text

// Looked lists the paths at which the configuration was looked for.
func (m Missing) Looked() string {
	return "looked for " + m.looked + "; see ldirectord --help files"
}
