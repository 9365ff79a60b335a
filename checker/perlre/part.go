package perlre

import "strings"

// part is a part of a pattern in the notation of both engines, with what decides about the engine. Only what is on the
// list of docs/checks.md is alike: all else goes to the engine that backtracks.
type part struct {
	nothing bool // there is nothing to match or to repeat
	text    string
	alike   bool    // Go's engine matches it as Perl does
	ends    bool    // if nothing follows it: it has a $
	begins  bool    // if a byte follows it: it has a ^ of lines
	shifts  bool    // Go's engine may find it at another place
	takes   bool    // surely a byte
	bytes   byteSet // that it may take

	plain  bool     // it is nothing but the text in needs
	needs  []string // texts that every match contains, one after another
	single bool     // it takes one byte, of those in bytes

	heads    []byteSet // of the single bytes that it begins with, where it is not one itself
	branches []part    // of alternatives
	endless  bool      // it is repeated without a bound
	pos      int       // of what repeats it in the pattern
	splits   bool      // an endless repeat is in it, and nothing beside that surely takes other bytes
	danger   danger    // the outermost
}

// maxCompared bounds how many parts are compared with each other for a danger: people write no more.
const maxCompared = 100

// danger is what may explode in a pattern: the number of ways in which the engine can divide a text among
// repeats grows faster than the text.
type danger struct {
	pos int
	why string
}

// one is a byte of a set. One of the empty set matches nothing.
func one(set byteSet) part {
	p := part{text: set.String(), alike: true, takes: true, bytes: set, single: true}
	if set.size() != 1 {
		return p
	}
	p.plain = true
	b, _ := set.span(0, true)
	p.needs = []string{string([]byte{byte(b)})}
	return p
}

// one is the same, made once for each set.
func (s *scanner) one(set byteSet) part {
	p, found := s.ones[set]
	if !found {
		p = one(set)
		s.ones[set] = p
	}
	return p
}

// absorb adds what all parts of a whole have in common.
func (p *part) absorb(sub part) {
	p.alike = p.alike && sub.alike
	p.ends = p.ends || sub.ends
	p.shifts = p.shifts || sub.shifts
	p.splits = p.splits || sub.splits
	p.bytes.union(sub.bytes)
	if p.danger.why == "" {
		p.danger = sub.danger
	}
}

// either are alternatives.
func either(branches []part) part {
	if len(branches) == 1 {
		return branches[0]
	}
	all := part{alike: true, takes: true, branches: branches}
	texts := make([]string, len(branches))
	for i, sub := range branches {
		all.absorb(sub)
		all.begins = all.begins || sub.begins
		all.takes = all.takes && sub.takes
		texts[i] = sub.text
	}
	all.text = "(?:" + strings.Join(texts, "|") + ")"
	return all
}

// inOrder are parts one after another; none is the empty text.
func inOrder(members []part) part {
	if len(members) == 1 {
		return members[0]
	}
	all := part{alike: true, plain: true, danger: neighbours(members)}
	var text strings.Builder
	var run []byte // of the plain parts that follow each other
	flush := func() {
		if len(run) > 0 {
			all.needs, run = append(all.needs, string(run)), nil
		}
	}
	for i, sub := range members {
		text.WriteString(sub.text)
		sub.splits = sub.splits && !parted(members, i)
		all.absorb(sub)
		all.alike = all.alike && (!sub.ends || i == len(members)-1)
		all.begins = all.begins && !sub.takes || sub.begins
		all.takes = all.takes || sub.takes
		all.plain = all.plain && sub.plain
		if sub.single && len(all.heads) == i {
			all.heads = append(all.heads, sub.bytes)
		}
		switch {
		case sub.plain:
			run = append(run, strings.Join(sub.needs, "")...)
		case sub.bytes.size() > 0:
			flush()
			all.needs = append(all.needs, sub.needs...)
		}
	}
	flush()
	all.text = text.String()
	return all
}

// parted reports whether something beside a member surely takes other bytes.
func parted(members []part, member int) bool {
	for i, other := range members[:min(maxCompared, len(members))] {
		if i != member && other.takes && other.bytes.size() > 0 && !other.bytes.meets(&members[member].bytes) {
			return true
		}
	}
	return false
}

// neighbours looks for endless repeats side by side over the same bytes.
func neighbours(members []part) danger {
	var last byteSet // of the endless repeats since something that takes a byte
	for _, sub := range members {
		switch {
		case sub.endless && last.meets(&sub.bytes):
			return danger{sub.pos, "two repeats follow each other, over the same characters"}
		case sub.endless:
			last.union(sub.bytes)
		case sub.takes:
			last = byteSet{}
		}
	}
	return danger{}
}

// repeated is a part as often as a quantifier tells, without its text.
func (p part) repeated(q quantifier, pos int) part {
	all := part{pos: pos, endless: q.high < 0 || q.high > 100, takes: p.takes && q.low > 0, begins: p.begins}
	all.alike = !p.ends
	all.shifts = !p.takes // which of the empty matches comes first
	all.absorb(p)
	switch {
	case all.endless && p.splits:
		all.danger = danger{pos, "it repeats what is itself repeated, over the same characters"}
	case all.endless && p.ambiguous():
		all.danger = danger{pos, "it repeats alternatives that match the same characters"}
	}
	all.splits = p.splits || all.endless
	if q.low > 0 {
		all.needs = p.needs
	}
	return all
}

// ambiguous reports whether an alternative may match what another does, or what it begins with.
func (p *part) ambiguous() bool {
	for i, one := range p.branches[:min(maxCompared, len(p.branches))] {
		for _, other := range p.branches[:i] {
			if sameBegin(one.begin(), other.begin()) {
				return true
			}
		}
	}
	return false
}

// begin are the sets of the single bytes that it begins with.
func (p *part) begin() []byteSet {
	if p.single {
		return []byteSet{p.bytes}
	}
	return p.heads
}

func sameBegin(one, other []byteSet) bool {
	length := min(len(one), len(other))
	for i := range length {
		if !one[i].meets(&other[i]) {
			return false
		}
	}
	return length > 0
}

// held is a part of which nothing is given back.
func (p part) held() part {
	return part{text: "(?>" + p.text + ")", takes: p.takes, bytes: p.bytes, plain: p.plain, needs: p.needs,
		danger: p.danger}
}
