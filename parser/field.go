package parser

import "time"

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
func (d *Directive) Global() bool { return d.is("global") || d.is("either") }

// Section reports whether the directive may be written in a section, where it overrides a global one.
func (d *Directive) Section() bool { return d.is("section") || d.is("either") }

// draft has the variables for the globals and one section, and that of each directive that may be written there.
type draft struct {
	globals   globals
	section   section
	ofGlobals map[string]field
	ofSection map[string]field
}

func newDraft() *draft {
	d := &draft{ofGlobals: map[string]field{}, ofSection: map[string]field{}}
	global := tableOf(&d.globals.Global, &Virtual{}, &d.globals.Settings)
	section := tableOf(&Global{}, &d.section.v, &d.section.v.Settings)
	for i, one := range directives {
		if one.Global() {
			d.ofGlobals[one.Name] = global[i].field
		}
		if one.Section() {
			d.ofSection[one.Name] = section[i].field
		}
	}
	return d
}

// read reads the value of a directive, and sets it in the section, or in the globals outside of sections.
func (d *draft) read(directive *Directive, v *value) *problem {
	if v.section != nil {
		return d.ofSection[directive.Name].read(v)
	}
	return d.ofGlobals[directive.Name].read(v)
}

// defaults sets the globals and the section to the defaults.
func (d *draft) defaults() {
	for _, row := range directives {
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
		if global := d.ofGlobals[name]; global.set != nil {
			global.set(d.ofSection[name].get())
		}
	}
	v.Settings, d.globals.Settings = d.globals.Settings, global
	v.At = at
	if !v.has("window") && (v.has("failurecount") || v.has("risecount")) {
		v.Window = Window{}
	}
}

// Form tells how a directive's value is written: quotes, comments and blanks.
type Form uint8

// The forms of values. From EscapedText on a value is kept as written.
const (
	Words        Form = iota
	WholeSeconds      // a number
	Time              // a number of seconds, which may have a fraction or a unit
	RealServer        // words with quoted strings
	Strings           // the same
	EscapedText       // in double quotes; a quote after a backslash does not end a string
	Text              // with or without double quotes
	FreeText          // the same, with blanks at the end
)

// formOf is how a value of a type is written.
func formOf(value any) Form {
	switch value.(type) {
	case string:
		return Text
	case Seconds, time.Duration:
		return Time
	}
	return Words
}
