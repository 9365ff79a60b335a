package instance

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/internal/runfile"
)

// ConfigDirs are the folders that are searched for a configuration. If it is in none of them, its name is used as a
// path.
type ConfigDirs []string

// Paths returns the possible paths of a configuration that is named on a command line, in the order in which they are
// tried. The name "" means the default configuration.
func (d ConfigDirs) Paths(name string) []string {
	if strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") {
		d = nil // the current folder is meant
	}
	name = cmp.Or(name, "ldirectord.cf")
	here, _ := filepath.Abs(name)
	return d.paths(name, here)
}

// paths returns the paths of a name in the folders, and the path that is tried last.
func (d ConfigDirs) paths(name, last string) (all []string) {
	for _, dir := range d {
		all = append(all, filepath.Join(dir, name))
	}
	if last != "" && !slices.Contains(all, last) {
		all = append(all, last)
	}
	return all
}

// Find returns the absolute path of a configuration that is named on a command line. The error is a Missing.
func (d ConfigDirs) Find(name string) (string, error) { return d.first(name, d.Paths(name)) }

// FindNamed is like Find for a name in a configuration, or in the command line of a Perl ldirectord: the folders come
// first for ./NAME, too, and a relative path begins at /, the working directory of daemons.
func (d ConfigDirs) FindNamed(name string) (string, error) {
	name = cmp.Or(name, "ldirectord.cf")
	return d.first(name, d.paths(name, filepath.Join("/", name)))
}

// first returns the first of the paths that is a regular file.
func (d ConfigDirs) first(name string, looked []string) (string, error) {
	missing := Missing{name: cmp.Or(name, "ldirectord.cf")}
	for i, path := range looked {
		info, err := runfile.Stat(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			missing.odd = cmp.Or(missing.odd, err.Error())
			looked[i] += " (permission denied)"
		case err != nil:
		case info.Mode().IsRegular() && !strings.HasSuffix(name, "/"): // a name that ends in / means a folder
			return path, nil
		default:
			missing.odd = cmp.Or(missing.odd, path+" is not a regular file")
			looked[i] += " (not a regular file)"
		}
	}
	if filepath.IsAbs(name) {
		looked = looked[len(d):]
	}
	missing.looked = strings.Join(looked, ", ")
	return "", missing
}

// Missing is the error for a configuration that is not found.
type Missing struct {
	name, looked string
	odd          string // the first path that is not a regular file or can't be looked at; "" for none
}

func (m Missing) Error() string {
	text := "Config file " + m.name + " not found" // the Perl ldirectord's text
	if m.odd != "" {
		text += ": " + m.odd
	}
	return text
}

// Looked lists the paths at which the configuration was looked for.
func (m Missing) Looked() string {
	return "looked for " + m.looked + "; see ldirectord --help files"
}
