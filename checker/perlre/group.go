package perlre

import (
	"slices"
	"strings"
)

// lookarounds are the groups that look around or take without giving back, as both engines write them, and Perl's
// longer names for them.
var lookarounds = map[string][]string{
	"?=":  {"*pla:", "*positive_lookahead:"},
	"?!":  {"*nla:", "*negative_lookahead:"},
	"?<=": {"*plb:", "*positive_lookbehind:"},
	"?<!": {"*nlb:", "*negative_lookbehind:"},
	"?>":  {"*atomic:"},
}

// refused are openings that have no counterpart in the engine.
var refused = []struct{ perl, what string }{
	{"?{", "embedded code"}, {"??{", "embedded code"}, {"?[", "an extended class (?[...])"},
	{"?R", "recursion"}, {"?&", "recursion"}, {"?P>", "recursion"},
	{"*", "the verb or assertion"},
}

// group reads a group; the position is after its "(".
func (p *parser) group() *node {
	begin := p.pos - 1
	if p.nesting++; p.nesting > maxNesting {
		return p.fail(begin, "more than %d groups in each other", maxNesting)
	}
	defer func() { p.nesting-- }()
	if !p.ahead("?") && !p.ahead("*") {
		return p.capture("", begin)
	}
	if p.accept("*FAIL)") || p.accept("*F)") {
		return one(byteSet{})
	}
	for open, names := range lookarounds {
		if p.accept(open) || slices.ContainsFunc(names, p.accept) {
			return p.lookOrAtomic(open, begin)
		}
	}
	if what := p.unsupported(); what != "" {
		opening := p.src[begin:]
		return p.fail(begin, "%s %q is not supported", what, opening[:min(len(opening), 12)])
	}
	switch {
	case p.accept("?|"):
		return p.enclosed(node{kind: sequence}, true, begin)
	case p.accept("?("):
		return p.conditional(begin)
	case p.accept("?P="):
		return p.nameReference(p.groupName(")", begin), begin)
	case p.accept("?<"), p.accept("?P<"):
		return p.capture(p.groupName(">", begin), begin)
	case p.accept("?'"):
		return p.capture(p.groupName("'", begin), begin)
	}
	p.pos++ // the question mark
	return p.flagGroup(begin)
}

// unsupported is what a group is for that no engine has; "" for others.
func (p *parser) unsupported() string {
	for _, r := range refused {
		if p.ahead(r.perl) {
			return r.what
		}
	}
	rest := strings.TrimLeft(p.src[p.pos:], "?+-")
	if p.ahead("?") && strings.TrimLeft(rest, digits) != rest { // (?1) (?-1) (?+1)
		return "recursion"
	}
	return ""
}

// lookOrAtomic reads the inside of one of lookarounds.
func (p *parser) lookOrAtomic(open string, begin int) *node {
	if open == "?>" {
		return p.enclosed(node{kind: atomic}, false, begin)
	}
	p.lookaround++
	defer func() { p.lookaround-- }()
	return p.enclosed(node{kind: look, open: open}, false, begin)
}

// enclosed reads the inside of a group and its ")" into a node. What the flags become inside ends with it.
func (p *parser) enclosed(group node, reset bool, begin int) *node {
	saved := p.flags
	inside := p.alternatives(reset)
	p.flags = saved
	if !p.accept(")") {
		return p.fail(begin, "unmatched (")
	}
	if group.kind == sequence {
		return inside
	}
	group.subs = []*node{inside}
	return &group
}

// capture reads a capturing group.
func (p *parser) capture(name string, begin int) *node {
	if name == "" && p.flags.noCaptures {
		return p.enclosed(node{kind: sequence}, false, begin)
	}
	p.groups++
	if name != "" && !slices.Contains(p.names[name], p.groups) {
		p.names[name] = append(p.names[name], p.groups)
	}
	return p.enclosed(node{kind: capture, group: p.groups}, false, begin)
}

// flagGroup reads (?flags) and (?flags:...); the position is after the question mark.
func (p *parser) flagGroup(begin int) *node {
	flags := p.flags
	if p.accept("^") {
		flags = modifiers{}
	}
	on, xs := true, 0
	for !p.end() {
		c := p.next()
		switch {
		case c == ')':
			p.flags = flags
			return nil
		case c == ':':
			saved := p.flags
			p.flags = flags
			n := p.enclosed(node{kind: sequence}, false, begin)
			p.flags = saved
			return n
		case c == '-' && on:
			on = false
		case c == 'x' && on:
			xs++
			flags.extended = min(xs, 2)
		case !flags.set(c, on):
			return p.fail(begin, "%q is not recognized", p.src[begin:p.pos])
		}
	}
	return p.fail(begin, "unmatched (?")
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
func (p *parser) conditional(begin int) *node {
	n := node{kind: condition}
	if p.ahead("?") || p.ahead("*") {
		n.test = p.group()
		if n.test == nil || n.test.kind != look {
			return p.fail(begin, "unknown condition")
		}
	} else if n.group = p.conditionGroup(begin); p.first != nil && n.group > p.first.groups { // it never matches
		n.test = one(byteSet{})
	}
	whole := p.enclosed(n, false, begin)
	if whole == nil || whole.subs[0].kind != choice {
		return whole
	}
	if whole.subs = whole.subs[0].subs; len(whole.subs) > 2 {
		return p.fail(begin, "more than two branches in a conditional")
	}
	return whole
}

// conditionGroup reads which group a condition asks for, and its closing parenthesis.
func (p *parser) conditionGroup(begin int) int {
	condition, found := p.upTo(")")
	name := strings.Trim(condition, "<>'")
	switch {
	case !found:
		p.fail(begin, "unmatched (")
	case condition != "" && strings.Trim(condition, digits) == "":
		return leadingNumber(condition, 10)
	case strings.HasPrefix(condition, "R") || condition == "DEFINE":
		p.fail(begin, "recursion (?(%s) is not supported", condition)
	case condition != "<"+name+">" && condition != "'"+name+"'":
		p.fail(begin, "unknown condition (?(%s)", condition)
	case len(p.named(name)) == 0:
		p.fail(begin, "condition on a group %q that does not exist", name)
	default:
		return p.named(name)[0]
	}
	return 0
}
