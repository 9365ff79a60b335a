package parser

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// This file reads lines of `include`, and joins a file and its parts.

// Part is a file named by an include line.
type Part struct {
	Line int    // which line of include, from 0
	Path string // "" if there is no such file
	Text []byte
	Left string // why the file is not read; "" if it is
}

// IsCopy is the reason for skipping a file that looks like a copy made by an editor or a package manager. Any other
// reason for not reading a file is an error.
const IsCopy = "its name is that of a backup copy"

// partMark begins the heading of a part in the joined text. The rest of that line is the quoted path, the number of the
// include line, and the quoted reason why the part is not read, separated by tabs.
const partMark = "\x00"

// Join joins a file and its parts into one text for Parse. It refuses a file in which a line begins with partMark.
func Join(name string, file []byte, parts []Part) ([]byte, error) {
	all := &bytes.Buffer{}
	add := func(path string, text []byte) error {
		if bytes.HasPrefix(text, []byte(partMark)) || bytes.Contains(text, []byte("\n"+partMark)) {
			return fmt.Errorf("%s: a line begins with a zero byte", path)
		}
		all.Write(text)
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			all.WriteByte('\n')
		}
		return nil
	}
	err := add(name, file)
	for _, p := range parts {
		fmt.Fprintf(all, partMark+"%q\t%d\t%q\n", p.Path, p.Line, p.Left)
		if err == nil {
			err = add(p.Path, p.Text)
		}
	}
	return all.Bytes(), err
}

// partText returns the text from the beginning of a part, or the whole text if there is no such part.
func partText(all []byte, path string) []byte {
	_, from, found := bytes.Cut(all, fmt.Appendf(nil, "\n"+partMark+"%q\t", path))
	if !found {
		return all
	}
	_, text, _ := bytes.Cut(from, []byte("\n"))
	return text
}

// Includes returns the patterns in the include lines of a file.
func Includes(text []byte) (patterns []string) {
	if !bytes.Contains(text, []byte("include")) {
		return nil
	}
	r := &reader{}
	for one := range strings.SplitSeq(strings.TrimPrefix(string(text), ByteOrderMark), "\n") {
		if strings.HasPrefix(one, partMark) {
			break
		}
		if l := readLine("", 0, one); l.name == "include" && l.equals {
			r.read(l, byName["include"], nil)
		}
	}
	return r.globals.Include
}

// readInclude adds a pattern. Only the file name may have wildcards, because searching through folders could take long.
func readInclude(v *value) {
	pattern := plainText(v)
	if _, err := filepath.Match(pattern, ""); err != nil {
		v.bad("is not a pattern: a [ is not closed; it must be a path such as conf.d/*.cf")
	}
	if strings.ContainsAny(filepath.Dir(pattern), "*?[\x00") {
		v.bad("has a wildcard in a folder; only the name may have one, such as conf.d/*.cf")
	}
	if v.problem == nil {
		v.globals.Include = append(v.globals.Include, pattern)
		v.globals.includes = append(v.globals.includes, v.line)
	}
}

// heading begins a part if the line is a heading, and reports whether it is one. last is the number of the previous
// line.
func (r *reader) heading(text string, last int) bool {
	var path, left string
	var number int
	n, err := fmt.Sscanf(strings.TrimPrefix(text, partMark), "%q\t%d\t%q", &path, &number, &left)
	if err != nil || n != 3 || number < 0 || number >= len(r.globals.includes) {
		return false
	}
	r.leave(last)
	r.closeSection()
	r.from, r.inPart, r.current, r.gap = path, true, nil, 0
	l := r.globals.includes[number]
	switch at := r.on(l.order); {
	case path == "":
		at.warn(noEffect, l.position(), "there is no file %q", r.globals.Include[number])
	case left == IsCopy:
		at.warn(noEffect, l.position(), "%q is not read: %s", path, left)
	case left != "":
		at.error(unreadable, l.position(), "%q cannot be read: %s", path, left)
	default:
		r.parts = append(r.parts, path)
	}
	return true
}

// notInPart refuses a line of a part that belongs in the main file.
func (r *reader) notInPart(l line, d *Directive) {
	text := l.name + " is in an included file, which may have only sections; it belongs in " + r.file
	if d.Section() {
		text += ", or indented below a virtual"
	}
	r.on(l.order).error(unknownDirective, l.begin, "%s", text)
}

// SeenFrom describes the line at p for a finding about another line: "line 5", with the file if the other line is in
// another file.
func (p Position) SeenFrom(other Position) string {
	text := fmt.Sprintf("line %d", p.Line)
	if p.File != other.File {
		text += " of " + p.File
	}
	return text
}
