package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"ldirectord/internal/runfile"
	"ldirectord/parser"
)

// maxParts is the highest number of parts in a configuration.
const maxParts = 10000

// copies matches the names of copies that editors and packages leave.
var copies = regexp.MustCompile(`^\.|~$|\.swp$|\.dpkg-[^.]*$|\.rpm[^.]*$`)

// withParts joins the texts of the file and its parts.
func (s Source) withParts(text []byte) ([]byte, error) {
	patterns := parser.Includes(text)
	if len(patterns) == 0 {
		return text, nil
	}
	parts, err := s.parts(patterns, len(text))
	if err != nil {
		return nil, err
	}
	return parser.Join(s.Path, text, parts)
}

// parts reads the parts that match the patterns, up to the first part that can't be read. If that failure may pass
// (runfile.MayPass), parts returns it as an error. size is the size of the main file, which counts towards the limit.
func (s Source) parts(patterns []string, size int) (parts []parser.Part, err error) {
	taken := map[string]bool{}
	for i, pattern := range patterns {
		paths, err := runfile.InTime(pattern, func() ([]string, error) { return s.matches(pattern) })
		if runfile.MayPass(err) {
			return nil, err
		}
		if err != nil {
			return append(parts, parser.Part{Line: i, Path: pattern, Left: reason(err)}), nil
		}
		if len(paths) == 0 {
			parts = append(parts, parser.Part{Line: i})
		}
		for _, path := range paths {
			if taken[path] {
				continue
			}
			taken[path] = true
			part := parser.Part{Line: i, Path: path}
			if path == s.Path {
				part.Left = "a file can't include itself"
			} else if part.Text, part.Left, err = readPart(path); err != nil {
				return nil, err
			}
			size += len(part.Text)
			if parts = append(parts, part); len(parts) > maxParts || size > parser.MaxSize {
				return nil, fmt.Errorf("include: there are more than %d parts or %d bytes", maxParts,
					parser.MaxSize)
			}
			if part.Left != "" && part.Left != parser.IsCopy {
				return parts, nil
			}
		}
	}
	return parts, nil
}

// readPart returns the text of a part, or why it is left out. It returns an error if reading failed in a way that may
// pass.
func readPart(path string) (text []byte, left string, err error) {
	if copies.MatchString(filepath.Base(path)) {
		return nil, parser.IsCopy, nil
	}
	text, err = runfile.ReadFile(path, parser.MaxSize)
	if err == nil || runfile.MayPass(err) {
		return text, "", err
	}
	return nil, reason(err), nil
}

// reason returns the text of an error without the file's path, with which most such errors begin.
func reason(err error) string {
	if about, is := errors.AsType[*fs.PathError](err); is {
		err = about.Err
	}
	return err.Error()
}

// matches returns the files that match a pattern, sorted by name.
func (s Source) matches(pattern string) (paths []string, err error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(s.Path), pattern)
	}
	entries, err := os.ReadDir(filepath.Dir(pattern))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if ok, _ := filepath.Match(filepath.Base(pattern), e.Name()); ok && !e.IsDir() {
			paths = append(paths, filepath.Join(filepath.Dir(pattern), e.Name()))
		}
	}
	return paths, err
}

// partStamps returns the versions of all files that match patterns.
func (s Source) partStamps(patterns []string) versions {
	var all []string
	for _, pattern := range patterns {
		paths, _ := s.matches(pattern) // none if the folder can't be read
		all = append(all, paths...)
	}
	return versionsOf(all)()
}

// differing returns the paths of the parts whose versions differ.
func differing(was, now versions) (paths []string) {
	all := versions{}
	maps.Copy(all, was)
	maps.Copy(all, now)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !was[path].same(now[path]) {
			paths = append(paths, path)
		}
	}
	return paths
}

// vanished returns the reason why a change of the parts may be a mistake, or "". It may be one if at least half of the
// virtual services from parts are gone and there were at least four, as when a folder is not mounted. It may also be
// one if a part no longer contains any virtual service, as when the part is not written yet.
func (f *configFile) vanished(now *parser.Config) string {
	const few = 4 // virtual services
	stay, empty := map[string]bool{}, map[string]bool{}
	for _, part := range now.Parts {
		empty[part] = true
	}
	for _, v := range now.Virtuals {
		stay[v.ID] = true
		delete(empty, v.Part)
	}
	had, gone, why := 0, 0, ""
	for _, v := range f.current.Config.Virtuals {
		if v.Part == "" {
			continue
		}
		if had++; stay[v.ID] {
			continue
		}
		if gone++; empty[v.Part] {
			why = fmt.Sprintf("the part %s no longer has a virtual service", v.Part)
		}
	}
	if had >= few && 2*gone >= had {
		why = fmt.Sprintf("%d of %d virtual services that came from the parts of %s are gone", gone, had,
			f.d.Config.Path)
	}
	return why
}
