package parser

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/resolve"
)

// MaxSize is the maximum size of a file together with its parts, in bytes.
const MaxSize = 64 << 20

// Parse reads one configuration. It reports all errors, up to a limit that no real configuration reaches. If there are
// errors, Config.Virtuals has only the sections without errors. Such a Config must not be run, but it can be examined,
// so that all mistakes in a file are reported at once. The Config is nil only if the file is larger than MaxSize. Time
// and memory grow linearly with the size of the file and of its ranges. All look-ups together take at most five
// seconds.
func Parse(ctx context.Context, name string, src []byte, o Options) (*Config, Diagnostics) {
	r := &reader{
		resolver: resolver{
			report: report{file: name, strict: o.Strict, shared: map[int]blockID{},
				reported: map[reportedText]bool{}, count: map[group]int{}},
			opts: o, warned: map[resolve.Key]bool{},
			names: resolve.NewTable(resolve.Source{Resolver: o.Resolver, Last: o.Last, Own: o.Own}),
		},
		from: name, blocks: map[blockID]*block{},
	}
	inForce := o.Before.byID()
	if !o.Returns {
		r.inForce = inForce
	}
	r.defaults()
	r.globals.At = map[string]Position{}
	if len(src) > MaxSize {
		r.on(0).error(tooLarge, Position{File: name}, "the file has %d bytes; at most %d are allowed", len(src),
			MaxSize)
		return nil, r.diagnostics()
	}
	r.nameChecks(string(src))
	r.readAll(string(src))
	r.names.Again = r.globals.Resolve > 0
	r.takeDefaults()
	r.dropListed()
	written := r.report
	written.count = maps.Clone(r.count)
	cfg := r.config() // notes the names, which LookUp then looks up
	if r.names.LookUp(ctx) {
		r.names.Refuse(cfg.OwnAddresses())
		r.report = written
		r.dropListed()
		cfg = r.config()
	}
	cfg.Virtuals, cfg.Unsound = r.sort(cfg.Virtuals)
	cfg.keepLeaving(inForce, o.Refines)
	return cfg, r.diagnostics()
}

// sort separates virtual services whose sections have errors from the others.
func (r *resolver) sort(all []*Virtual) (sound, unsound []*Virtual) {
	broken := map[int]bool{}
	for _, d := range r.found.Errors() {
		broken[d.block] = true
	}
	sound = all[:0]
	for i, s := range r.sections {
		if all[i].hasHeader() && !broken[s.line.order] {
			sound = append(sound, all[i])
		} else {
			unsound = append(unsound, all[i])
		}
	}
	return sound, unsound
}

// reader reads a file line by line for the resolver. It reports every mistake: each step adds its findings to the same
// list and continues.
type reader struct {
	resolver
	from    string   // the file or part of the current line
	inPart  bool     // from is a part, an included file
	current *section // the last section; unlike in the Perl ldirectord, no blank line or global directive ends it
	open    bool     // the section has not ended for the Perl ldirectord either
	// the last blank or global line after the latest line of the section; such a line ends the section for the Perl
	// ldirectord; 0: none
	gap        int
	crReported bool // the carriage returns were reported

	blocks  map[blockID]*block
	inOrder []*block // the blocks in file order
	taken   int      // bytes that sections took from blocks

	value value // of the current line
}

// ByteOrderMark may precede the first line of a file, a part, a list or a script. Editors on Windows put it there.
const ByteOrderMark = "\ufeff"

func (r *reader) readAll(text string) {
	number, order := 0, 0
	for text != "" && r.count[everyError] <= maxFindings {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if strings.HasPrefix(line, partMark) && r.heading(line, number) {
			number = 0
			continue
		}
		number++
		order++
		if rest, marked := strings.CutPrefix(line, ByteOrderMark); marked && number == 1 {
			line = rest
			r.on(order).layout(unknownDirective, Position{r.from, 1, 1},
				"the file begins with a byte-order mark, which the Perl ldirectord refuses")
		}
		l := readLine(r.from, number, line)
		l.order = order
		isOnly := number == 1 && (text == "" || strings.HasPrefix(text, partMark))
		if at := strings.IndexByte(strings.TrimRight(line, "\r"), '\r'); isOnly && at >= 0 {
			r.on(order).error(unknownDirective, l.at(at),
				"the lines end in CR alone; they must end in LF alone")
			continue // most of the file would be read as one line
		}
		r.line(l)
	}
	r.leave(number)
	r.closeSection()
}

func (r *reader) line(l line) {
	switch shown := trimLeft(l.text); {
	case strings.HasPrefix(shown, "#"):
	case shown == "":
		r.blank(l)
	case l.name == "virtual", l.name == "virtual6":
		r.header(l)
	case l.name == "defaults", l.name == "checkdef":
		r.blockLine(l)
	default:
		r.directive(l)
	}
}

// leave records that the section ends for the Perl ldirectord. number is the line at which it ends.
func (r *reader) leave(number int) {
	if r.open {
		r.open = false
		r.current.end = number
	}
}

// blank handles a line of white space. If the line has more than four blanks, the Perl ldirectord takes it for a
// directive without a name.
func (r *reader) blank(l line) {
	if r.open && l.indent >= sectionIndent && len(expandTabs(l.text)) > sectionIndent {
		r.in(r.current, inLines).tolerate(l, unknownDirective, l.at(0),
			"a line of the section has only blanks; such a line must be empty or have at most four blanks")
		return
	}
	r.leave(l.number)
	r.gap = l.number
}

func (r *reader) header(l line) {
	s := r.openSection(l, l.name == "virtual6")
	at := r.in(s, inLines)
	if !at.opens(l, "a section") {
		return
	}
	s.v.At["virtual"] = l.position()
	v := &r.value
	*v = value{text: trimRight(l.text[l.value:]), line: l, notes: v.notes[:0]}
	s.header.read(v)
	at.refused(v)
	at.notes(v)
}

// opens reports whether a line that opens a section or block contains an =. It adds a finding if there is none, or if
// the line is indented.
func (f finder) opens(l line, what string) bool {
	if l.indent > 0 {
		f.tolerate(l, unknownDirective, l.begin, l.name+" is indented; "+what+" begins in the first column")
	}
	if !l.equals {
		f.error(unknownDirective, l.begin, "%s", describeOdd(l))
	}
	return l.equals
}

func (r *reader) openSection(l line, ipv6 bool) *section {
	s := &section{header: header{line: l, Key: lvs.Key{IPv6: ipv6}}, v: r.unwritten.v}
	r.sections = append(r.sections, s)
	r.begin(s)
	return s
}

// begin ends the last section and opens a new one.
func (r *reader) begin(s *section) {
	r.leave(s.line.number)
	r.closeSection()
	s.v.At = map[string]Position{}
	r.current, r.open, r.gap = s, true, 0
}

// closeSection reports mistakes in the layout of a section when all its lines have been read.
func (r *reader) closeSection() {
	s := r.current
	if s == nil || s.underIndent == nil {
		return
	}
	const text = "a directive of the section is not indented"
	at, pos := r.in(s, inLines).of(*s.underIndent), s.underIndent.at(0)
	if s.unclear {
		at.error(unknownDirective, pos, text+", nor are directives that may also be global; the "+
			"lines of a section are indented by four blanks or a tab")
		return
	}
	at.layout(unknownDirective, pos, text+"; four blanks or more, or a tab, are needed")
}

func (r *reader) directive(l line) {
	if r.open && l.indent < sectionIndent {
		r.leave(l.number)
	}
	l.late = r.current != nil && !r.open
	d := byName[l.name]
	if d == nil || !l.equals {
		r.oddDirective(l)
		return
	}
	switch isGlobal := d.Global() && !r.inside(l); {
	case r.inPart && (isGlobal || !d.Section()):
		r.notInPart(l, d)
	case isGlobal && d.Section() && r.current != nil && r.current.underIndent != nil:
		r.current.unclear = true
		r.in(r.current, inLines).of(l).error(ambiguousLayout, l.begin,
			"%s may be global or belong to the virtual in line %d, whose lines are not indented either; "+
				"indent it or move it above the first virtual", l.name, r.current.line.number)
	case isGlobal || !d.Section():
		at := r.at(l)
		r.place(at, l)
		r.assign(at, l, d, nil)
	case r.current == nil:
		r.on(l.order).error(unknownDirective, l.begin,
			"%s is outside of a section; it belongs below a virtual, indented by four blanks or a tab",
			l.name)
	default:
		r.inSection(l, d)
	}
}

// inside reports whether a line is indented below the line that opens a section or block.
func (r *reader) inside(l line) bool { return l.indent > 0 && r.current != nil }

// at returns the finder for a line that may be global: that of the section if the line is indented below one, otherwise
// that of a line outside of sections.
func (r *reader) at(l line) finder {
	if r.inside(l) {
		return r.in(r.current, inLines).of(l)
	}
	return r.on(l.order)
}

// place checks where a global directive begins. In the first column, the directive ends the section for the Perl
// ldirectord. If the directive is indented, place reports that.
func (r *reader) place(at finder, l line) {
	if l.indent > 0 {
		at.tolerate(l, unknownDirective, l.begin, l.name+
			" is indented; a global directive begins in the first column")
	} else if r.current != nil {
		r.leave(l.number)
		r.gap = l.number
	}
}

func (r *reader) inSection(l line, d *Directive) {
	s := r.current
	at := r.in(s, inLines).of(l)
	switch {
	case l.indent == 0:
		r.reportedLine, r.refusal = l.order, unknownDirective // closeSection reports it
		if s.underIndent == nil {
			first := l // escapes to the heap, unlike l
			s.underIndent = &first
		}
	case r.gap > 0:
		at.tolerate(l, unknownDirective, l.begin, fmt.Sprintf(
			"the section continues after line %d, which ends it for the Perl ldirectord", r.gap))
	case l.indent < sectionIndent && !s.littleIndent:
		s.littleIndent = true
		at.tolerate(l, unknownDirective, l.begin,
			"a directive of the section is indented by fewer than four blanks; four or more, or a tab, "+
				"are needed")
	}
	r.gap = 0
	if s.block != nil {
		r.inBlock(at, l, d)
		return
	}
	if right, mixed := ofOtherFamily(s, d.Name); mixed {
		kind := familyMix
		if r.reportedLine == l.order {
			kind = r.refusal
		}
		at.error(kind, l.begin, "%s is not for this address family; under %s it must be %s", d.Name,
			s.line.name, right)
		return
	}
	r.assign(at, l, d, s)
}

// ofOtherFamily reports whether a directive is for the other address family, and returns the name of the directive for
// this family.
func ofOtherFamily(s *section, name string) (right string, mixed bool) {
	right, _ = strings.CutSuffix(name, "6")
	hasBoth := right == "real" || right == "fallback"
	if s.IPv6 {
		right += "6"
	}
	return right, hasBoth && right != name
}
