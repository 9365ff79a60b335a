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

// refused are groups that no engine has.
var refused = []struct {
	opening *regexp.Regexp
	what    string
}{
	{regexp.MustCompile(`^\?\??\{`), "embedded code"},
	{regexp.MustCompile(`^\?\[`), "an extended class"},
	{regexp.MustCompile(`^\?(?:R|&|P>|[-+]?[0-9])`), "recursion"},
	{regexp.MustCompile(`^\*`), "the verb or assertion"},
	{regexp.MustCompile(``), "the group"},
}

const groupName = `[A-Za-z_][A-Za-z_0-9]*`

var (
	namedGroup = regexp.MustCompile(`^\?(?:P?<(` + groupName + `)>|'(` + groupName + `)')`)
	nameAgain  = regexp.MustCompile(`^\?P=(` + groupName + `)\)`)
	flagGroup  = regexp.MustCompile(`^\?(\^?)([adluimsnxpgco]*)(?:-([imsnxpgco]*))?([:)])`)
	condition  = regexp.MustCompile(`^(?:([1-9][0-9]*)|<(` + groupName + `)>|'(` + groupName + `)')\)`)
)

// group reads a group; the position is after its "(". Modifiers alone are none.
func (s *scanner) group() (group part, ok bool) {
	begin := s.pos - 1
	if !s.ahead("?") && !s.ahead("*") {
		return s.capture("", begin), true
	}
	if group, ok := s.special(begin); ok {
		return group, true
	}
	switch {
	case s.accept("*FAIL)"), s.accept("*F)"):
		return one(byteSet{}), true
	case s.accept("?|"):
		return either(s.enclosed(true, begin)), true
	case s.accept("?("):
		return s.conditional(begin), true
	}
	if m := s.match(nameAgain); m != nil {
		return s.nameReference(m[1], begin), true
	}
	if m := s.match(namedGroup); m != nil {
		return s.capture(m[1]+m[2], begin), true
	}
	if m := s.match(flagGroup); m != nil {
		return s.modified(m, begin)
	}
	for _, r := range refused {
		if rest := s.src[s.pos:min(s.pos+11, len(s.src))]; r.opening.MatchString(rest) {
			return s.fail(begin, "%s %q is not supported", r.what, "("+rest), true
		}
	}
	return group, true
}

// special reads a group that looks around, or holds what it took.
func (s *scanner) special(begin int) (group part, ok bool) {
	for _, o := range openings {
		if !s.accept(o.perl) {
			continue
		}
		if o.text == held {
			return either(s.enclosed(false, begin)).held(), true
		}
		s.lookaround++
		inside := either(s.enclosed(false, begin))
		s.lookaround--
		return part{text: o.text + inside.text + ")", danger: inside.danger}, true
	}
	return group, false
}

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

// capture reads a capturing group. It is a plain one for the engines unless something refers to it.
func (s *scanner) capture(name string, begin int) part {
	if name == "" && s.flags.on['n'] {
		return either(s.enclosed(false, begin))
	}
	s.groups++
	number := s.groups
	if name != "" && !slices.Contains(s.names[name], number) {
		s.names[name] = append(s.names[name], number)
	}
	inside := either(s.enclosed(false, begin))
	if name != "" || s.first != nil && s.first.referred[number] {
		inside.text = fmt.Sprintf("(?<%d>%s)", number, inside.text)
	}
	return inside
}

// modified reads the inside of (?flags:...). (?flags) is for what follows.
func (s *scanner) modified(m []string, begin int) (group part, ok bool) {
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
		return group, false
	}
	group = either(s.enclosed(false, begin))
	s.flags = saved
	return group, true
}

// conditional reads (?(condition)yes|no); the position is after its second parenthesis.
func (s *scanner) conditional(begin int) part {
	test := ""
	if look, ok := s.special(begin); ok {
		test = look.text
	} else if m := s.match(condition); m != nil {
		test = s.conditionOn(m[1], m[2]+m[3], begin)
	}
	if test == "" || strings.HasPrefix(test, held) {
		return s.fail(begin, "a condition must be a group's number or name, or look around")
	}
	branches := s.enclosed(false, begin)
	if len(branches) > 2 {
		return s.fail(begin, "more than two branches in a conditional")
	}
	var all part
	texts := make([]string, len(branches))
	for i, sub := range branches {
		all.absorb(sub)
		texts[i] = sub.text
	}
	all.text = "(?" + test + strings.Join(texts, "|") + ")"
	return all
}

// conditionOn is the condition that a group has matched. One that does not exist never has.
func (s *scanner) conditionOn(number, name string, begin int) string {
	n, _ := strconv.Atoi(number)
	if number == "" {
		n = s.named(name, begin)[0]
	}
	s.referred[n] = true
	if s.first != nil && n > s.first.groups {
		return "(?!)"
	}
	return fmt.Sprintf("(%d)", n)
}

// references are all ways to write a back-reference but (?P=name), after the backslash.
var references = regexp.MustCompile(`^(?:([1-9][0-9]*)|g(-?[0-9]+)|g\{[ \t]*(-?[0-9]+)[ \t]*\}|` +
	`[gk]\{[ \t]*(` + groupName + `)[ \t]*\}|k<(` + groupName + `)>|k'(` + groupName + `)')`)

// reference reads a back-reference; the position is after its backslash. \10 upwards are octal numbers where there are
// fewer groups.
func (s *scanner) reference() (ref part, ok bool) {
	begin := s.pos
	m := s.match(references)
	if m == nil {
		return ref, false
	}
	number := m[1] + m[2] + m[3]
	if number == "" {
		return s.nameReference(m[4]+m[5]+m[6], begin-1), true
	}
	n, _ := strconv.Atoi(number)
	if m[1] != "" && n > 9 && number[0] < '8' && s.first != nil && n > s.first.groups {
		s.pos = begin
		return ref, false
	}
	if n < 0 {
		n += s.groups + 1
	}
	return s.referTo(n, begin-1), true
}

func (s *scanner) referTo(n, begin int) part {
	if s.first != nil && (n < 1 || n > s.first.groups) {
		return s.fail(begin, "reference to a group that does not exist")
	}
	s.referred[n] = true
	fold := ""
	if s.flags.on['i'] {
		fold = "i"
	}
	return part{text: fmt.Sprintf(`(?%s:\k<%d>)`, fold, n), bytes: byteSet{}.negatedIf(true)}
}

// nameReference is a back-reference to the first group of that name that has matched.
func (s *scanner) nameReference(name string, begin int) part {
	groups := s.named(name, begin)
	last := len(groups) - 1
	ref := s.referTo(groups[last], begin)
	for _, n := range slices.Backward(groups[:last]) {
		ref.text = fmt.Sprintf("(?(%d)%s|%s)", n, s.referTo(n, begin).text, ref.text)
	}
	return ref
}

// named are the groups of a name. The first pass, which does not know them all, takes the whole pattern for one.
func (s *scanner) named(name string, begin int) []int {
	if s.first == nil {
		return []int{0}
	}
	groups := s.first.names[name]
	if len(groups) == 0 {
		s.fail(begin, "reference to a group %q that does not exist", name)
		return []int{0}
	}
	return groups
}
