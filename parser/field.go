package parser

import (
	"reflect"
	"slices"
	"time"
)

// reading reads a value, and stores it in the field of its directive.
type reading func(v *value, field reflect.Value)

// of returns a reading that stores the result of read. A refused value changes nothing.
func of[V any](read func(*value) V) reading {
	return func(v *value, field reflect.Value) {
		if got := read(v); v.problem == nil {
			*field.Addr().Interface().(*V) = got
		}
	}
}

// alone returns a reading for a function that stores the value itself.
func alone(read func(*value)) reading {
	return func(v *value, _ reflect.Value) { read(v) }
}

// Global reports whether the directive may be written outside the sections.
func (d *Directive) Global() bool { return d.is("global") }

// Section reports whether the directive may be written in a section. There it overrides the global value.
func (d *Directive) Section() bool { return d.is("section") }

// field returns the directive's field in a *Global or *Virtual, if it has one.
func (d *Directive) field(of any) (field reflect.Value, ok bool) {
	all := reflect.ValueOf(of).Elem()
	index, ok := d.kept[all.Type()]
	if ok {
		field = all.FieldByIndex(index)
	}
	return field, ok
}

// set reads a value, and stores it in its section or in the globals.
func (d *Directive) set(v *value) {
	field, _ := d.field(&v.globals.Global)
	if v.section != nil {
		field, _ = d.field(&v.section.v)
	}
	d.read(v, field)
}

// defaults sets the globals, and the section from which all others are copied, to the defaults.
func (r *resolver) defaults() {
	for _, d := range directives {
		if d.Default == "" {
			continue
		}
		v := &value{text: d.Default, opts: &Options{}, globals: &r.globals}
		if d.Global() {
			d.set(v)
		}
		if v.section = &r.unwritten; d.Section() {
			d.set(v)
		}
	}
}

// inherit sets v to a section's own values, and to the global values of directives that the section does not have.
func inherit(global *Global, v, own *Virtual) {
	*v = *own
	v.Settings = global.Settings
	v.At = own.At
	for name := range v.At {
		d := byName[name]
		if field, ok := d.field(v); ok && d.Global() {
			value, _ := d.field(own)
			field.Set(value)
		}
	}
	if !v.has("window") && slices.ContainsFunc(instead["window"], v.has) {
		v.Window = Window{}
	}
	v.fillTimeouts()
}

// Form says how quotes, comments and blanks in a directive's value are read.
type Form uint8

// The forms of values. In EscapedText and the forms after it, blanks within a value are part of it.
const (
	Words        Form = iota
	WholeSeconds      // a whole number of seconds
	Time              // a number of seconds, which may have a fraction or a unit
	RealServer        // words with quoted strings
	Strings           // like RealServer
	EscapedText       // in double quotes; a quote after a backslash does not end a string
	Text              // with or without double quotes
	FreeText          // like Text, but blanks at the end are kept
)

// formOf returns the form of values of a type.
func formOf(value any) Form {
	switch value.(type) {
	case string:
		return Text
	case Seconds, time.Duration:
		return Time
	}
	return Words
}
