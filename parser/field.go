package parser

// field is what a directive sets in a T: a Global, a Virtual, or the Settings that both have.
type field[T any] struct {
	read func(*T, *value) *problem
	get  func(*T) any // the value for JSON; nil: JSON has none under the directive's name
	copy func(to, from *T)
}

// setting is a field with the value of one line. A value that is refused changes nothing.
func setting[T, V any](in func(*T) *V, read func(*value) (V, *problem)) field[T] {
	return field[T]{
		read: func(t *T, v *value) *problem {
			got, p := read(v)
			if p == nil {
				*in(t) = got
			}
			return p
		},
		get:  func(t *T) any { return *in(t) },
		copy: func(to, from *T) { *in(to) = *in(from) },
	}
}

// within is a field of the Settings in a T.
func within[T any](f field[Settings], in func(*T) *Settings) field[T] {
	of := field[T]{read: func(t *T, v *value) *problem { return f.read(in(t), v) }}
	if f.get != nil {
		of.get = func(t *T) any { return f.get(in(t)) }
	}
	return of
}

// Global reports whether the directive may be written outside the sections.
func (d *Directive) Global() bool { return d.global.read != nil }

// Section reports whether the directive may be written in a section, where it outranks a global one.
func (d *Directive) Section() bool { return d.section.read != nil }

// read reads a value, and sets it in the value's section or, without one, in the globals.
func (d *Directive) read(v *value) *problem {
	if v.section != nil {
		return d.section.read(&v.section.v, v)
	}
	return d.global.read(&v.globals.Global, v)
}

// defaults are the globals and a section in which nothing is written.
func defaults() (Global, Virtual) {
	var g globals
	var s section
	for i := range directives {
		d := &directives[i]
		if d.Default == "" {
			continue
		}
		v := &value{text: d.Default, opts: &Options{}, globals: &g}
		if d.Form == QuotedText {
			v.text = `"` + d.Default + `"`
		}
		if d.Global() {
			d.read(v)
		}
		if d.Section() {
			v.section = &s
			d.read(v)
		}
	}
	return g.Global, s.v
}

// inherit takes from the globals what a section does not say on its own.
func (s *Settings) inherit(own, global *Settings) {
	*s = *global
	s.At = own.At
	for name := range own.At {
		if d := byName[name]; d.either.copy != nil {
			d.either.copy(s, own)
		}
	}
	if !s.has("window") && (s.has("failurecount") || s.has("risecount")) {
		s.Window = Window{}
	}
}
