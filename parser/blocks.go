package parser

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// This file reads blocks of `defaults` and `checkdef`, and gives their lines to the sections that use them.

// blockID identifies a block by its directive, `defaults` or `checkdef`, and its name.
type blockID struct{ kind, name string }

// block is a section whose lines other sections use.
type block struct {
	*section // of its v, only At and Use count
	blockID
	lines  []line
	next   *block // the block that it uses; nil for none
	isUsed bool
}

// blockName matches the allowed names of blocks.
var blockName = regexp.MustCompile(`^\w[\w.-]{0,63}$`)

func readBlockName(v *value) string {
	if !blockName.MatchString(v.text) {
		v.bad("is not a name; it must be at most 64 letters, digits, dots, hyphens and underscores, " +
			"such as web")
	}
	return v.text
}

func readBlock(v *value) { v.section.block.blockID = blockID{v.name, readBlockName(v)} }

// instead maps a directive to the directives that exclude it. A section that has one of these does not take the
// directive from a block.
var instead = map[string][]string{
	"window": {"failurecount", "risecount"}, "failurecount": {"window"}, "risecount": {"window"},
	"request": {"send", "expect"}, "receive": {"send", "expect"},
	"send": {"request", "receive"}, "expect": {"request", "receive"},
}

// openBlock opens a block. Its name is read later.
func (r *reader) openBlock(l line) *block {
	b := &block{section: &section{header: header{line: l}}}
	b.block = b
	r.begin(b.section)
	return b
}

func (r *reader) blockLine(l line) {
	b := r.openBlock(l)
	at := r.in(b.section, inLines)
	if !at.opens(l, "a block") {
		return
	}
	v := r.read(l, byName[l.name], b.section)
	if at.refused(v) {
		return
	}
	if r.inPart {
		r.notInPart(l, byName[l.name])
		return
	}
	if first := r.blocks[b.blockID]; first != nil {
		at.error(badValue, l.position(), "the block %q is already defined in line %d; each block needs "+
			"its own name",
			b.name, first.line.number)
		return
	}
	if l.name == "checkdef" && slices.Contains(alsoTypes, b.name) {
		at.warn(suspicious, l.position(), "the checkdef replaces the built-in check %q", b.name)
	}
	r.blocks[b.blockID] = b
	r.inOrder = append(r.inOrder, b)
}

// inBlock stores a line of a block, and reports what would be wrong with the line in every section.
func (r *reader) inBlock(at finder, l line, d *Directive) {
	b := r.current.block
	switch isServers := strings.HasPrefix(d.Name, "real"); {
	case b.line.name == "checkdef" && !d.isOfCheck():
		at.error(unknownDirective, l.begin, "%s is in a checkdef, which may have only directives of a "+
			"check; it belongs in a section", d.Name)
		return
	case isServers:
		at.error(unknownDirective, l.begin, "%s is in a block, but belongs in a section; a block may "+
			"have every other directive of a section", d.Name)
		return
	}
	at.given(b.v.At, l, d)
	if d.Name == "use" {
		at.refused(r.read(l, d, b.section))
		return
	}
	b.lines = append(b.lines, l)
	r.shared[l.number] = b.blockID
	v := r.read(l, d, b.trial(false))
	if v.problem != nil {
		v = r.read(l, d, b.trial(true)) // a value may be for one family
	}
	at.notes(v)
	at.refused(v)
}

// trial returns a section into which a value of a block is read only to check it.
func (b *block) trial(ipv6 bool) *section {
	return &section{header: header{Key: lvs.Key{IPv6: ipv6}}, from: b.blockID}
}

// takeDefaults gives each section the lines of the blocks that it uses. A block of defaults may in turn use another
// block, whose lines the section gets as well.
func (r *reader) takeDefaults() {
	for _, b := range r.inOrder {
		if b.next = r.usedBy(b.section); b.next != nil && b.next.v.Use != "" {
			r.in(b.section, inLines).error(badValue, b.v.At["use"],
				"the block %q itself uses a block; a block may use only a block without use", b.v.Use)
			b.next = nil
		}
	}
	for _, s := range r.sections {
		used := r.usedBy(s)
		r.takeOwnCheck(s, used)
		for b := used; b != nil; b = b.next {
			r.take(s, b)
		}
		r.takeFurtherChecks(s)
		if r.taken > MaxSize {
			return
		}
	}
	for _, b := range r.inOrder {
		if !b.isUsed {
			r.in(b.section, inLines).warn(noEffect, b.line.position(), "no section uses the block %q",
				b.name)
		}
	}
}

// usedBy returns the block that a section or a block uses, or nil.
func (r *reader) usedBy(s *section) *block {
	b := r.use(blockID{"defaults", s.v.Use})
	if b == nil && s.v.Use != "" {
		r.in(s, inLines).error(badValue, s.v.At["use"],
			"there is no block %q; it must be the NAME of a line defaults = NAME", s.v.Use)
	}
	return b
}

// use returns a block, which then counts as used. It returns nil if there is no such block, or its first line was
// refused.
func (r *reader) use(id blockID) *block {
	b := r.blocks[id]
	if b != nil {
		b.isUsed = true
	}
	return b
}

// take reads the lines of a block into a section. It omits directives that the section already has (unless they may be
// repeated), that the section's own directives exclude, or that are for the other address family. If the section's own
// check is a checkdef, it also omits the checktype of a block of defaults.
func (r *reader) take(s *section, b *block) {
	own := maps.Clone(s.v.At)
	has := func(name string) bool { _, has := own[name]; return has }
	for _, l := range b.lines {
		d := byName[l.name]
		_, mixed := ofOtherFamily(s, d.Name)
		isOfOwnCheck := d.Name == "checktype" && b.kind == "defaults" && s.v.CheckName != ""
		if mixed || isOfOwnCheck || has(d.Name) && !d.Repeats || slices.ContainsFunc(instead[d.Name], has) {
			continue
		}
		r.takeLine(s, b, l)
	}
}

// takeLine reads a line of a block into a section, unless all sections together would then have taken more than MaxSize
// bytes from blocks.
func (r *reader) takeLine(s *section, b *block, l line) {
	if r.taken > MaxSize {
		return
	}
	d, at := byName[l.name], r.in(s, inLines)
	if r.taken += len(l.text); r.taken > MaxSize {
		at.error(tooLarge, cmp.Or(s.v.At["use"], s.line.position()),
			"with the lines of their blocks the sections have more than %d bytes", MaxSize)
		return
	}
	s.from = b.blockID
	v := r.read(l, d, s)
	s.from = blockID{}
	at.told(v)
	if !s.v.has(d.Name) {
		s.v.At[d.Name] = l.position()
	}
}

// isReported reports whether a finding about a line of a block has been reported before. It also returns true for
// advice that the line has no effect in this section, or has another effect in the Perl ldirectord, because other
// sections may also use the block.
func (f finder) isReported(d Diagnostic) bool {
	if _, isShared := f.shared[int(d.Pos.Line)]; !isShared || d.Pos.File != f.file {
		return false
	}
	one := reportedText{int(d.Pos.Line), d.Text}
	known := f.reported[one] || f.phase == advice && (d.Kind == noEffect || d.Kind == ownInterval)
	f.reported[one] = true
	return known
}

// reportedText identifies a finding by its line and its text.
type reportedText struct {
	line int
	text string
}

// Taken describes the values that a virtual service takes from blocks, such as "block web: request (line 3), scheduler
// (line 4)". It returns "" if the service uses no block.
func (c *Config) Taken(v *Virtual) string {
	names, blocks := v.blockNames(), "block "
	if len(names) == 0 {
		return ""
	}
	if len(names) > 1 {
		blocks = "blocks "
	}
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(v.At)) {
		if at := v.At[name]; c.blockAt(at) != (blockID{}) {
			taken = append(taken, fmt.Sprintf("%s (line %d)", name, at.Line))
		}
	}
	return blocks + Enumerate(names) + ": " + strings.Join(taken, ", ")
}

// blockNames returns the names of the blocks that a section names: its checkdef and its defaults.
func (v *Virtual) blockNames() []string {
	return slices.DeleteFunc([]string{v.CheckName, v.Use}, func(name string) bool { return name == "" })
}

// blockAt returns the block that contains a position, or the zero blockID.
func (c *Config) blockAt(at Position) blockID {
	if at.File != c.Name {
		return blockID{}
	}
	return c.blocks[int(at.Line)]
}

// from returns the places where the values of a virtual service are written. It omits the program's defaults.
func (c *Config) from(v *Virtual) jsonObject {
	all := jsonObject{}
	for _, d := range directives {
		at := cmp.Or(v.At[d.Name], c.Global.At[d.Name])
		if at.Line > 0 && d.Section() {
			place := jsonObject{"file": at.File, "line": at.Line, "defaults": nil}
			if b := c.blockAt(at); b.kind != "" {
				place[b.kind] = b.name
			}
			all[d.Name] = place
		}
	}
	return all
}
