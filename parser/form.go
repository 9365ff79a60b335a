package parser

// Form says how a directive's value is written, as far as quotes, comments and blanks go.
type Form uint8

// The forms of values. From QuotedText on a value is kept as written.
const (
	Words        Form = iota
	WholeSeconds      // a number
	Time              // a number of seconds, which may have a fraction or a unit
	RealServer        // words, in which quoted strings may begin
	Strings           // the same
	QuotedText        // double quotes required
	EscapedText       // the same; a quote after a backslash ends nothing
	Text              // double quotes optional, or not dropped at all
	FreeText          // the same; blanks at the end count
)
