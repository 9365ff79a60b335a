package parser

// field is the variable that a directive sets.
type field struct {
	read func(*value) *problem
	get  func() any // the value for JSON; nil: JSON has no value under the directive's name
	set  func(any)  // copies the value of another field
	form Form
}

// to is a field for the value of one line, stored in a variable. A refused value changes nothing.
func to[V any](kept *V, read func(*value) (V, *problem)) field {
	return field{
		read: func(v *value) *problem {
			got, p := read(v)
			if p == nil && !v.trial {
				*kept = got
			}
			return p
		},
		get:  func() any { return *kept },
		set:  func(got any) { *kept = got.(V) },
		form: formOf(*kept),
	}
}

// Global reports whether the directive may be written outside the sections.
func (d *Directive) Global() bool { return d.global.read != nil || d.either.read != nil }

// Section reports whether the directive may be written in a section, where it overrides a global one.
func (d *Directive) Section() bool { return d.section.read != nil || d.either.read != nil }

// draft has the variables for the globals and one section, and the variable of each row of the table.
type draft struct {
	globals   globals
	section   section
	ofGlobals []field // zero where the directive may not be written
	ofSection []field
}

func newDraft() *draft {
	d := &draft{}
	for _, row := range tableOf(&d.globals.Global, &Virtual{}, &d.globals.Settings) {
		d.ofGlobals = append(d.ofGlobals, row.global.or(row.either))
	}
	for _, row := range tableOf(&Global{}, &d.section.v, &d.section.v.Settings) {
		d.ofSection = append(d.ofSection, row.section.or(row.either))
	}
	return d
}

func (f field) or(other field) field {
	if f.read == nil {
		return other
	}
	return f
}

// read reads the value of a directive, and sets it in the section, or in the globals outside of sections.
func (d *draft) read(directive *Directive, v *value) *problem {
	if v.section != nil {
		return d.ofSection[directive.row].read(v)
	}
	return d.ofGlobals[directive.row].read(v)
}

// defaults sets the globals and the section to the defaults.
func (d *draft) defaults() {
	for i := range directives {
		row := &directives[i]
		if row.Default == "" {
			continue
		}
		v := &value{text: row.Default, opts: &Options{}, globals: &d.globals}
		if row.Global() {
			d.read(row, v)
		}
		if row.Section() {
			v.section = &d.section
			d.read(row, v)
		}
	}
}

// inherit copies global values for directives that the section does not have.
func (d *draft) inherit(v *Virtual) {
	at, global := v.At, d.globals.Settings
	d.section.v.Settings = v.Settings
	for name := range at {
		if row := byName[name]; row.either.set != nil {
			d.ofGlobals[row.row].set(d.ofSection[row.row].get())
		}
	}
	v.Settings, d.globals.Settings = d.globals.Settings, global
	v.At = at
	if !v.has("window") && (v.has("failurecount") || v.has("risecount")) {
		v.Window = Window{}
	}
}
