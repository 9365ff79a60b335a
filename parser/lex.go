package parser

import "strings"

// line is a line of the file, split into its parts.
type line struct {
	file   string
	number int
	order  int      // its number in the joined text
	late   bool     // for the Perl ldirectord the section ends before it
	text   string   // without its line feed
	indent int      // columns of leading blanks; every tab counts as four
	begin  Position // of the first non-blank byte
	name   string   // of a directive
	equals bool     // the name is followed by =
	value  int      // offset of the value
}

// sectionIndent is the indentation that the Perl ldirectord requires of lines in a section.
const sectionIndent = 4

func readLine(file string, number int, text string) line {
	indented := strings.TrimLeft(text, " \t")
	start := len(text) - len(indented)
	l := line{file: file, number: number, text: text,
		indent: start + 3*strings.Count(text[:start], "\t")}
	l.begin = l.at(start)
	l.name = leading(indented, isNameByte)
	rest := trimLeft(indented[len(l.name):])
	rest, l.equals = strings.CutPrefix(rest, "=")
	l.value = len(text) - len(trimLeft(rest))
	return l
}

func (l line) at(offset int) Position { return Position{l.file, int32(l.number), int32(offset + 1)} }

// around returns the position of a part of the directive's value, or of the whole value.
func (l line) around(part string) Position {
	if i := strings.Index(l.text[l.value:], part); i > 0 {
		return l.at(l.value + i)
	}
	return l.position()
}

// position returns the position of the directive's value, or of its name if there is no value.
func (l line) position() Position {
	if l.equals && l.value < len(l.text) {
		return l.at(l.value)
	}
	return l.begin
}

// literal returns the value as the Perl ldirectord reads it. In a section, the Perl ldirectord cuts the value at the
// first #, even in quotes, and reads a tab as four spaces. Outside of sections it does not change the value. Trailing
// blanks stay.
func (l line) literal(section bool) string {
	v := l.text[l.value:]
	if !section {
		return v
	}
	v, _, _ = strings.Cut(v, "#")
	return expandTabs(v)
}

// takeMeant sets the value as the author meant it: without a comment and, except in free text, without trailing blanks.
// A # in quotes usually does not begin a comment, see commentStart.
func (v *value) takeMeant() {
	inSection := v.section != nil
	v.text = strings.TrimSuffix(v.line.text[v.line.value:], "\r")
	if comment := commentStart(v.text, inSection, v.form); comment >= 0 {
		v.commented = true
		v.text = v.text[:comment]
	}
	if v.form != FreeText {
		v.text = trimRight(v.text)
	}
	if inSection && strings.Contains(v.text, "\t") {
		v.text = expandTabs(v.text)
		if v.form >= EscapedText {
			v.warn(loose, "a tab in the value is read as four blanks")
		}
	}
}

// commentStart returns the index of the # that begins a comment after a value, or -1. In a section the # may follow the
// value directly. Outside of sections there must be a blank before the #. A # in a quoted string begins a comment only
// if the part before it is a complete value for the Perl ldirectord.
func commentStart(v string, section bool, form Form) int {
	last := strings.LastIndexByte(v, '"')
	quotes := 0
	for i := range len(v) {
		if v[i] == '"' && (form != EscapedText || !escaped(v, i)) {
			quotes++
		}
		if v[i] != '#' || i < last && opened(v, quotes, form) {
			continue
		}
		if section || i == 0 || isSpace(v[i-1]) {
			return i
		}
	}
	return -1
}

// opened reports whether the text after the given number of quotes is in a quoted string. Only in a line of a real
// server or a further check may a string follow other words.
func opened(v string, quotes int, form Form) bool {
	if form == RealServer || form == Strings {
		return quotes%2 == 1
	}
	return quotes == 1 && v[0] == '"'
}

// escaped reports whether the byte at i follows a backslash that is not escaped itself.
func escaped(v string, i int) bool {
	backslashes := i - len(strings.TrimRight(v[:i], `\`))
	return backslashes%2 == 1
}

func expandTabs(s string) string { return strings.ReplaceAll(s, "\t", "    ") }
