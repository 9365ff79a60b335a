package perlre

import "strings"

// part is one part of a pattern. Its text is in a common notation, which forGo and backtracking rewrite for their
// engines. The other fields decide how it is matched.
type part struct {
	text    string
	nothing bool // there is nothing to match or to repeat, as in \K or (?i)
	odd     bool // only the backtracking engine reads it as Perl does
	ends    bool // it has a \Z, or a $ without (?m): if anything follows that, the whole is odd
	begins  bool // it has a ^ under (?m) that may match after the last newline, where Perl's does not
	wide    bool // it may match at least one byte
	takes   bool // it always matches at least one byte

	plain bool     // it is nothing but the text in needs
	needs []string // texts that every match contains, one after another
}

// one returns the part for a text that always matches at least one byte.
func one(text string) part { return part{text: text, wide: true, takes: true} }

// absorb is called for each part of p. It sets the properties that p has if any of its parts has them.
func (p *part) absorb(sub part) {
	p.odd = p.odd || sub.odd
	p.ends = p.ends || sub.ends
	p.wide = p.wide || sub.wide
}

// either joins alternatives. It does not look for texts that all of them need.
func either(branches []part) part {
	if len(branches) == 1 {
		return branches[0]
	}
	all := part{takes: true}
	texts := make([]string, len(branches))
	for i, sub := range branches {
		all.absorb(sub)
		all.begins = all.begins || sub.begins
		all.takes = all.takes && sub.takes
		texts[i] = sub.text
	}
	all.text = strings.Join(texts, "|")
	return all
}

// inOrder joins parts that follow each other.
func inOrder(members []part) part {
	all := part{plain: true}
	var text strings.Builder
	var run []byte // of the plain parts that follow each other
	flush := func() {
		if len(run) > 0 {
			all.needs, run = append(all.needs, string(run)), nil
		}
	}
	for _, sub := range members {
		text.WriteString(sub.text)
		all.odd = all.odd || all.ends
		all.absorb(sub)
		all.begins = all.begins && !sub.takes || sub.begins
		all.takes = all.takes || sub.takes
		all.plain = all.plain && sub.plain
		if sub.plain {
			run = append(run, strings.Join(sub.needs, "")...)
		} else if sub.wide {
			flush()
			all.needs = append(all.needs, sub.needs...)
		}
	}
	flush()
	all.text = text.String()
	return all
}

// repeated returns a part with a quantifier that repeats it at least low times. If the part may match nothing, the
// match may end elsewhere in Go's engine than in Perl. An odd part is put into a group of our own, because the
// backtracking engine would read (?>a?)? as (?>a?).
func (p part) repeated(quantifier string, low int) part {
	if p.odd {
		p.text = "(?<own>" + p.text + ")"
	}
	p.text += quantifier
	p.odd = p.odd || p.ends || !p.takes
	p.plain = false
	if low == 0 {
		p.takes, p.needs = false, nil
	}
	return p
}

// held returns a part as an atomic group, into which the engine does not backtrack.
func (p part) held() part {
	p.text = "(?>" + p.text + ")"
	p.odd = true
	return p
}
