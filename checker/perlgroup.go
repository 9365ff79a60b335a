package checker

import (
	"fmt"
	"slices"
	"strings"
)

// lookarounds are the openings of groups that capture nothing, and what the engine calls them.
var lookarounds = []struct {
	perl, engine string
	look         bool
}{
	{"?=", "(?=", true}, {"?!", "(?!", true}, {"?<=", "(?<=", true}, {"?<!", "(?<!", true}, {"?>", "(?>", false},
	{"*pla:", "(?=", true}, {"*positive_lookahead:", "(?=", true},
	{"*nla:", "(?!", true}, {"*negative_lookahead:", "(?!", true},
	{"*plb:", "(?<=", true}, {"*positive_lookbehind:", "(?<=", true},
	{"*nlb:", "(?<!", true}, {"*negative_lookbehind:", "(?<!", true},
	{"*atomic:", "(?>", false},
}

// refused are openings that have no counterpart in the engine.
var refused = []struct{ perl, what string }{
	{"?{", "embedded code"}, {"??{", "embedded code"}, {"?[", "an extended class (?[...])"},
	{"?R", "recursion"}, {"?&", "recursion"}, {"?P>", "recursion"},
	{"*", "the verb or assertion"},
}

// group reads a group; the position is behind its "(".
func (p *perlParser) group() (atomKind, error) {
	begin := p.pos - 1
	if p.nesting++; p.nesting > maxNesting {
		return noAtom, p.errAt(begin, "more than %d groups in each other", maxNesting)
	}
	defer func() { p.nesting-- }()
	rest := p.src[p.pos:]
	if !strings.HasPrefix(rest, "?") && !strings.HasPrefix(rest, "*") {
		return p.capture("", begin)
	}
	if p.acceptString("*FAIL)") || p.acceptString("*F)") {
		return p.assertion(`(?!)`), nil
	}
	for _, l := range lookarounds {
		if !p.acceptString(l.perl) {
			continue
		}
		if l.look {
			p.lookaround++
			defer func() { p.lookaround-- }()
		}
		if l.engine == "(?>" {
			p.atomics++
		}
		return p.enclosed(l.engine, false, begin)
	}
	if recursion := strings.TrimLeft(rest, "?+-"); recursion != "" && isDigits(recursion[:1]) && rest[0] == '?' {
		return noAtom, p.errAt(begin, "recursion %q is not supported", firstBytes("("+rest, 12))
	}
	for _, r := range refused {
		if strings.HasPrefix(rest, r.perl) {
			return noAtom, p.errAt(begin, "%s %q is not supported", r.what, firstBytes("("+rest, 12))
		}
	}
	switch {
	case p.acceptString("?|"):
		return p.enclosed("(?:", true, begin)
	case p.acceptString("?("):
		return p.conditional(begin)
	case p.acceptString("?P="):
		name, err := p.groupName(')', begin)
		if err != nil {
			return noAtom, err
		}
		return p.nameReference(name, begin)
	case p.acceptString("?<"), p.acceptString("?P<"):
		return p.named('>', begin)
	case p.acceptString("?'"):
		return p.named('\'', begin)
	}
	p.pos++ // the question mark
	return p.flagGroup(begin)
}

func firstBytes(s string, n int) string { return s[:min(len(s), n)] }

// enclosed reads the inside of a group and its ")". What the flags become inside ends with it.
func (p *perlParser) enclosed(open string, reset bool, begin int) (atomKind, error) {
	saved := p.flags
	defer func() { p.flags = saved }()
	p.emit(open)
	if err := p.alternatives(reset); err != nil {
		return noAtom, err
	}
	if !p.accept(')') {
		return noAtom, p.errAt(begin, "unmatched (")
	}
	p.emit(")")
	return wholeAtom, nil
}

// capture reads a capturing group, or a plain one when nothing refers to it.
func (p *perlParser) capture(name string, begin int) (atomKind, error) {
	if name == "" && p.flags.noCaptures {
		return p.enclosed("(?:", false, begin)
	}
	p.groups++
	if name != "" && !slices.Contains(p.names[name], p.groups) {
		if p.names == nil {
			p.names = map[string][]int{}
		}
		p.names[name] = append(p.names[name], p.groups)
	}
	if !p.referred[p.groups] {
		return p.enclosed("(?:", false, begin)
	}
	return p.enclosed(fmt.Sprintf("(?<%d>", p.groups), false, begin)
}

func (p *perlParser) named(quote byte, begin int) (atomKind, error) {
	name, err := p.groupName(quote, begin)
	if err != nil {
		return noAtom, err
	}
	return p.capture(name, begin)
}

// groupName reads a name up to its closing quote.
func (p *perlParser) groupName(quote byte, begin int) (string, error) {
	name, _, found := strings.Cut(p.src[p.pos:], string(quote))
	if quote == '}' {
		p.pos += len(name)
		name = strings.Trim(name, " \t")
	} else {
		p.pos += len(name)
	}
	if !found || !isGroupName(name) {
		return "", p.errAt(begin, "a group's name must be letters, digits and _, with no digit in front")
	}
	p.pos++
	return name, nil
}

func isGroupName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !isLetter(c) && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// flagGroup reads (?flags) and (?flags:...); the position is behind the question mark.
func (p *perlParser) flagGroup(begin int) (atomKind, error) {
	flags := p.flags
	if p.accept('^') {
		flags = perlFlags{}
	}
	on, xs := true, 0
	for !p.end() {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == ')':
			p.flags = flags
			return noAtom, nil
		case c == ':':
			saved := p.flags
			p.flags = flags
			kind, err := p.enclosed("(?:", false, begin)
			p.flags = saved
			return kind, err
		case c == '-' && on:
			on = false
		case c == 'x' && on:
			xs++
			flags.extended = min(xs, 2)
		default:
			if !flags.set(c, on) {
				return noAtom, p.errAt(begin, "%q is not recognized", p.src[begin:p.pos])
			}
		}
	}
	return noAtom, p.errAt(begin, "unmatched (?")
}

// set switches one modifier on or off, and reports whether Perl knows it there.
func (f *perlFlags) set(c byte, on bool) bool {
	switch c {
	case 'i':
		f.fold = on
	case 'm':
		f.multiline = on
	case 's':
		f.dotAll = on
	case 'n':
		f.noCaptures = on
	case 'x':
		f.extended = 0
		return !on
	case 'a', 'u', 'l':
		f.rules = c
		return on
	case 'd':
		f.rules = 0
		return on
	case 'p', 'g', 'c', 'o': // these mean nothing here
	default:
		return false
	}
	return true
}

// conditional reads (?(condition)yes|no); the position is behind its second parenthesis.
func (p *perlParser) conditional(begin int) (atomKind, error) {
	if strings.HasPrefix(p.src[p.pos:], "?") || strings.HasPrefix(p.src[p.pos:], "*") {
		start := len(p.out)
		p.emit("(?")
		if _, err := p.group(); err != nil {
			return noAtom, err
		}
		if open := string(p.out[start+2:]); !strings.HasPrefix(open, "(?=") && !strings.HasPrefix(open, "(?!") && !strings.HasPrefix(open, "(?<") {
			return noAtom, p.errAt(begin, "unknown condition")
		}
		return p.branches(begin)
	}
	condition, _, found := strings.Cut(p.src[p.pos:], ")")
	if !found {
		return noAtom, p.errAt(begin, "unmatched (")
	}
	p.pos += len(condition) + 1
	group, err := p.conditionGroup(condition, begin)
	if err != nil {
		return noAtom, err
	}
	if p.referred[group] && group <= p.total {
		p.emit(fmt.Sprintf("(?(%d)", group))
	} else {
		p.emit("(?(?!)") // a group that is not there never matches
	}
	return p.branches(begin)
}

// conditionGroup returns the group that a condition asks for.
func (p *perlParser) conditionGroup(condition string, begin int) (int, error) {
	if condition != "" && isDigits(condition) {
		group := leadingNumber(condition, 10)
		if p.scouting {
			p.referred[group] = true
		}
		return group, nil
	}
	if strings.HasPrefix(condition, "R") || condition == "DEFINE" {
		return 0, p.errAt(begin, "recursion (?(%s) is not supported", condition)
	}
	name := strings.Trim(condition, "<>'")
	if condition != "<"+name+">" && condition != "'"+name+"'" {
		return 0, p.errAt(begin, "unknown condition (?(%s)", condition)
	}
	if p.scouting {
		p.namesReferred = append(p.namesReferred, name)
		return 0, nil
	}
	if len(p.allNames[name]) == 0 {
		return 0, p.errAt(begin, "condition on a group %q that does not exist", name)
	}
	return p.allNames[name][0], nil
}

// branches reads yes|no and the closing parenthesis of a conditional.
func (p *perlParser) branches(begin int) (atomKind, error) {
	saved := p.flags
	defer func() { p.flags = saved }()
	for branch := 1; ; branch++ {
		if branch > 2 {
			return noAtom, p.errAt(begin, "more than two branches in a conditional")
		}
		if err := p.sequence(); err != nil {
			return noAtom, err
		}
		if !p.accept('|') {
			break
		}
		p.emit("|")
	}
	if !p.accept(')') {
		return noAtom, p.errAt(begin, "unmatched (")
	}
	p.emit(")")
	return wholeAtom, nil
}
