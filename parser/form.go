package parser

import "time"

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
