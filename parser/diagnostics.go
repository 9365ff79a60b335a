package parser

// Severity of a diagnostic.
type Severity uint8

// A configuration with an Error is refused; a Warning is told.
const (
	Warning Severity = iota
	Error
)

// Diagnostic is one finding in a file.
type Diagnostic struct {
	Severity Severity
	Kind     string // short stable name: unknown-directive, bad-value, …
	File     string
	Pos      Position // zero when it belongs to no line
	Text     string   // what is wrong; what is allowed
}

// Diagnostics are the findings of one file in the order of its lines.
type Diagnostics []Diagnostic
