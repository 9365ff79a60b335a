package perlre

import (
	"slices"
	"strings"
)

// lookarounds are the openings of groups that capture nothing.
var lookarounds = []struct {
	open string
	node node
}{
	{"?=", ahead}, {"*pla:", ahead}, {"*positive_lookahead:", ahead},
	{"?!", notAhead}, {"*nla:", notAhead}, {"*negative_lookahead:", notAhead},
	{"?<=", lookBehind}, {"*plb:", lookBehind}, {"*positive_lookbehind:", lookBehind},
	{"?<!", notLookBehind}, {"*nlb:", notLookBehind}, {"*negative_lookbehind:", notLookBehind},
	{"?>", node{kind: atomic}}, {"*atomic:", node{kind: atomic}},
}

var (
	ahead         = node{kind: look}
	notAhead      = node{kind: look, negated: true}
	lookBehind    = node{kind: look, backward: true}
	notLookBehind = node{kind: look, backward: true, negated: true}
)

// refused are openings that have no counterpart in the engine.
var refused = []struct{ perl, what string }{
	{"?{", "embedded code"}, {"??{", "embedded code"}, {"?[", "an extended class (?[...])"},
	{"?R", "recursion"}, {"?&", "recursion"}, {"?P>", "recursion"},
	{"*", "the verb or assertion"},
}

// group reads a group; the position is after its "(".
func (p *parser) group() (*node, error) {
	begin := p.pos - 1
	if p.nesting++; p.nesting > maxNesting {
		return nil, p.errAt(begin, "more than %d groups in each other", maxNesting)
	}
	defer func() { p.nesting-- }()
	rest := p.src[p.pos:]
	if !strings.HasPrefix(rest, "?") && !strings.HasPrefix(rest, "*") {
		return p.capture("", begin)
	}
	if p.acceptString("*FAIL)") || p.acceptString("*F)") {
		return one(byteSet{}), nil
	}
	for _, l := range lookarounds {
		if !p.acceptString(l.open) {
			continue
		}
		n := l.node
		if n.kind == look {
			p.lookaround++
			defer func() { p.lookaround-- }()
		}
		return p.enclosed(n, false, begin)
	}
	if recursion := strings.TrimLeft(rest, "?+-"); recursion != "" && isDigits(recursion[:1]) && rest[0] == '?' {
		return nil, p.errAt(begin, "recursion %q is not supported", firstBytes("("+rest, 12))
	}
	for _, r := range refused {
		if strings.HasPrefix(rest, r.perl) {
			return nil, p.errAt(begin, "%s %q is not supported", r.what, firstBytes("("+rest, 12))
		}
	}
	switch {
	case p.acceptString("?|"):
		return p.enclosed(node{kind: sequence}, true, begin)
	case p.acceptString("?("):
		return p.conditional(begin)
	case p.acceptString("?P="):
		name, err := p.groupName(')', begin)
		if err != nil {
			return nil, err
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

// enclosed reads the inside of a group and its ")" into a node. What the flags become inside ends with it.
func (p *parser) enclosed(group node, reset bool, begin int) (*node, error) {
	saved := p.flags
	defer func() { p.flags = saved }()
	inside, err := p.alternatives(reset)
	if err != nil {
		return nil, err
	}
	if !p.accept(')') {
		return nil, p.errAt(begin, "unmatched (")
	}
	if group.kind == sequence {
		return inside, nil
	}
	group.subs = []*node{inside}
	return &group, nil
}

// capture reads a capturing group, or a plain one when nothing refers to it.
func (p *parser) capture(name string, begin int) (*node, error) {
	if name == "" && p.flags.noCaptures {
		return p.enclosed(node{kind: sequence}, false, begin)
	}
	p.groups++
	if name != "" && !slices.Contains(p.names[name], p.groups) {
		if p.names == nil {
			p.names = map[string][]int{}
		}
		p.names[name] = append(p.names[name], p.groups)
	}
	if !p.referred[p.groups] {
		return p.enclosed(node{kind: sequence}, false, begin)
	}
	return p.enclosed(node{kind: capture, group: p.groups}, false, begin)
}

func (p *parser) named(quote byte, begin int) (*node, error) {
	name, err := p.groupName(quote, begin)
	if err != nil {
		return nil, err
	}
	return p.capture(name, begin)
}

// groupName reads a name up to its closing quote.
func (p *parser) groupName(quote byte, begin int) (string, error) {
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

// flagGroup reads (?flags) and (?flags:...); the position is after the question mark.
func (p *parser) flagGroup(begin int) (*node, error) {
	flags := p.flags
	if p.accept('^') {
		flags = modifiers{}
	}
	on, xs := true, 0
	for !p.end() {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == ')':
			p.flags = flags
			return nil, nil
		case c == ':':
			saved := p.flags
			p.flags = flags
			n, err := p.enclosed(node{kind: sequence}, false, begin)
			p.flags = saved
			return n, err
		case c == '-' && on:
			on = false
		case c == 'x' && on:
			xs++
			flags.extended = min(xs, 2)
		default:
			if !flags.set(c, on) {
				return nil, p.errAt(begin, "%q is not recognized", p.src[begin:p.pos])
			}
		}
	}
	return nil, p.errAt(begin, "unmatched (?")
}

// set switches one modifier on or off, and reports whether Perl knows it there.
func (f *modifiers) set(c byte, on bool) bool {
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

// conditional reads (?(condition)yes|no); the position is after its second parenthesis.
func (p *parser) conditional(begin int) (*node, error) {
	if strings.HasPrefix(p.src[p.pos:], "?") || strings.HasPrefix(p.src[p.pos:], "*") {
		test, err := p.group()
		if err != nil {
			return nil, err
		}
		if test == nil || test.kind != look {
			return nil, p.errAt(begin, "unknown condition")
		}
		return p.branches(&node{kind: condition, test: test}, begin)
	}
	name, _, found := strings.Cut(p.src[p.pos:], ")")
	if !found {
		return nil, p.errAt(begin, "unmatched (")
	}
	p.pos += len(name) + 1
	group, err := p.conditionGroup(name, begin)
	if err != nil {
		return nil, err
	}
	n := &node{kind: condition, group: group}
	if !p.referred[group] || group > p.total { // a group that is not there never matches
		n.test = one(byteSet{})
	}
	return p.branches(n, begin)
}

// conditionGroup returns the group that a condition asks for.
func (p *parser) conditionGroup(condition string, begin int) (int, error) {
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
func (p *parser) branches(n *node, begin int) (*node, error) {
	saved := p.flags
	defer func() { p.flags = saved }()
	for {
		if len(n.subs) == 2 {
			return nil, p.errAt(begin, "more than two branches in a conditional")
		}
		branch, err := p.sequence()
		if err != nil {
			return nil, err
		}
		n.subs = append(n.subs, branch)
		if !p.accept('|') {
			break
		}
	}
	if !p.accept(')') {
		return nil, p.errAt(begin, "unmatched (")
	}
	return n, nil
}
