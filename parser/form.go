package parser

// Form says how a directive's value is written, as far as quotes, comments and blanks go.
type Form uint8

// The forms of values. From EscapedText on a value is kept as written.
const (
	Words        Form = iota
	WholeSeconds      // a number
	Time              // a number of seconds, which may have a fraction or a unit
	RealServer        // words, in which quoted strings may begin
	Strings           // the same
	EscapedText       // in double quotes; a quote after a backslash ends nothing
	Text              // with or without double quotes
	FreeText          // the same; blanks at the end count
)

// formOf is how a value of a type is written.
func formOf(value any) Form {
	switch value.(type) {
	case string:
		return Text
	case Seconds:
		return Time
	}
	return Words
}
