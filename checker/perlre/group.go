package perlre

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// held is how a group opens that takes without giving back.
const held = "(?>"

// openings are the groups that look around, and those that take without giving back, as the engine writes them.
var openings = []struct{ perl, text string }{
	{"?=", "(?="}, {"*pla:", "(?="}, {"*positive_lookahead:", "(?="},
	{"?!", "(?!"}, {"*nla:", "(?!"}, {"*negative_lookahead:", "(?!"},
	{"?<=", "(?<="}, {"*plb:", "(?<="}, {"*positive_lookbehind:", "(?<="},
	{"?<!", "(?<!"}, {"*nlb:", "(?<!"}, {"*negative_lookbehind:", "(?<!"},
	{"?>", held}, {"*atomic:", held},
}

const groupName = `[A-Za-z_][A-Za-z_0-9]*`

var (
	namedGroup = regexp.MustCompile(`^\?(?:P?<(` + groupName + `)>|'(` + groupName + `)')`)
	nameAgain  = regexp.MustCompile(`^\?P=(` + groupName + `)\)`)
	flagGroup  = regexp.MustCompile(`^\?(\^?)([adluimsnxpgco]*)(?:-([imsnxpgco]*))?([:)])`)
	condition  = regexp.MustCompile(`^(?:([1-9][0-9]*)|<(` + groupName + `)>|'(` + groupName + `)')\)`)
)

// group reads a group.
func (s *scanner) group() part {
	begin := s.pos
	s.pos++
	if !s.ahead("?") && !s.ahead("*") {
		return s.capture("", begin)
	}
	if group, ok := s.special(begin); ok {
		return group
	}
	switch {
	case s.accept("*FAIL)"), s.accept("*F)"):
		return one(byteSet{})
	case s.accept("?|"):
		return either(s.enclosed(true, begin))
	case s.accept("?("):
		return s.conditional(begin)
	}
	if m := s.match(nameAgain); m != nil {
		return s.backReference(s.meant("", m[1], begin), begin)
	}
	if m := s.match(namedGroup); m != nil {
		return s.capture(m[1]+m[2], begin)
	}
	if m := s.match(flagGroup); m != nil {
		return s.modified(m, begin)
	}
	return s.fail(begin, "%q is not supported: nor are recursion, embedded code and verbs",
		s.src[begin:min(begin+12, len(s.src))])
}

// special reads a group that looks around, or holds what it took.
func (s *scanner) special(begin int) (group part, ok bool) {
	for _, o := range openings {
		if !s.accept(o.perl) {
			continue
		}
		if o.text == held {
			return s.inside(begin).held(), true
		}
		s.lookaround++
		inside := s.inside(begin)
		s.lookaround--
		return part{text: o.text + inside.text + ")", danger: inside.danger}, true
	}
	return group, false
}

// inside reads what is in a group, and its ")".
func (s *scanner) inside(begin int) part { return either(s.enclosed(false, begin)) }

// enclosed reads the inside of a group and its ")". What the modifiers become inside ends with it.
func (s *scanner) enclosed(reset bool, begin int) []part {
	if s.nesting++; s.nesting > maxNesting {
		s.fail(begin, "more than %d groups in each other", maxNesting)
	}
	saved := s.flags
	inside := s.branches(reset)
	s.flags = saved
	s.nesting--
	if !s.accept(")") {
		s.fail(begin, "unmatched (")
	}
	return inside
}

// capture reads a capturing group. For the engines it is a plain one unless something may refer to it.
func (s *scanner) capture(name string, begin int) part {
	if name == "" && s.flags.on['n'] {
		return s.inside(begin)
	}
	s.groups++
	number := s.groups
	if name != "" && !slices.Contains(s.names[name], number) {
		s.names[name] = append(s.names[name], number)
	}
	inside := s.inside(begin)
	if name != "" || s.referred[number] {
		inside.text = fmt.Sprintf("(?<%d>%s)", number, inside.text)
	}
	return inside
}

// modified reads the inside of (?flags:...). (?flags) is for what follows.
func (s *scanner) modified(m []string, begin int) part {
	saved := s.flags
	if m[1] != "" {
		s.flags = modifiers{}
	}
	for _, c := range m[2] {
		switch c {
		case 'a', 'u', 'l':
			s.flags.rules = byte(c)
		case 'd':
			s.flags.rules = 0
		default:
			s.flags.on[c] = true
		}
	}
	for _, c := range m[3] {
		s.flags.on[c] = false
	}
	if xs := strings.Count(m[2], "x"); xs > 0 {
		s.flags.on['X'] = xs > 1
	}
	if m[4] == ")" {
		return part{nothing: true}
	}
	group := s.inside(begin)
	s.flags = saved
	return group
}

// conditional reads (?(condition)yes|no); the position is after its second parenthesis. A group that does not exist
// never has matched.
func (s *scanner) conditional(begin int) part {
	test := "(?!)"
	if look, ok := s.special(begin); ok {
		test = look.text
	} else if m := s.match(condition); m == nil {
		test = ""
	} else if n := s.meant(m[1], m[2]+m[3], begin); n[0] <= s.total {
		test = fmt.Sprintf("(%d)", n[0])
	}
	if test == "" || strings.HasPrefix(test, held) {
		return s.fail(begin, "a condition must be a group's number or name, or look around")
	}
	branches := s.enclosed(false, begin)
	if len(branches) > 2 {
		return s.fail(begin, "more than two branches in a conditional")
	}
	all := either(branches)
	text := all.text + ")"
	if len(branches) == 2 { // they are in a group already
		text = strings.TrimPrefix(all.text, "(?:")
	}
	return part{text: "(?" + test + text, bytes: all.bytes, splits: all.splits, danger: all.danger}
}

// references are all ways to write a back-reference but (?P=name).
var references = regexp.MustCompile(`^\\(?:([1-9][0-9]*)|g(-?[0-9]+)|g\{[ \t]*(-?[0-9]+)[ \t]*\}|` +
	`[gk]\{[ \t]*(` + groupName + `)[ \t]*\}|k<(` + groupName + `)>|k'(` + groupName + `)')`)

// reference reads a back-reference. \10 upwards are octal numbers where there are fewer groups.
func (s *scanner) reference() (ref part, ok bool) {
	begin := s.pos
	m := s.match(references)
	if m == nil {
		return ref, false
	}
	groups := s.meant(m[1]+m[2]+m[3], m[4]+m[5]+m[6], begin)
	if s.second && groups[0] > max(9, s.total) && m[1] != "" && m[1][0] < '8' {
		s.pos = begin
		return ref, false
	}
	return s.backReference(groups, begin), true
}

// meant are the groups of a number, which counts back if it is negative, or of a name. The first pass does not know all
// of those.
func (s *scanner) meant(number, name string, begin int) []int {
	if name == "" {
		n, _ := strconv.Atoi(number)
		if n < 0 {
			n += s.groups + 1
		}
		s.referred[n] = true
		return []int{n}
	}
	if groups := s.names[name]; s.second && len(groups) > 0 {
		return groups
	}
	if s.second {
		s.fail(begin, "reference to a group %q that does not exist", name)
	}
	return []int{0}
}

// backReference is what the first of some groups has matched that has matched anything.
func (s *scanner) backReference(groups []int, begin int) part {
	fold := ""
	if s.flags.on['i'] {
		fold = "i"
	}
	text := ""
	for _, n := range slices.Backward(groups) {
		if s.second && (n < 1 || n > s.total) {
			return s.fail(begin, "reference to a group that does not exist")
		}
		one := fmt.Sprintf(`(?%s:\k<%d>)`, fold, n)
		if text != "" {
			one = fmt.Sprintf("(?(%d)%s|%s)", n, one, text)
		}
		text = one
	}
	return part{text: text, bytes: everything}
}
