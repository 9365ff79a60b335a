package parser

// globals are what is written outside the sections.
type globals struct {
	Global
	executes            map[string]bool // what Execute holds
	fallback, fallback6 *fallbackLine
}

// section is a virtual service as written: its header and the directives that belong to it. What
// needs no more than its own line is in v already.
type section struct {
	header
	v        Virtual
	fallback *fallbackLine
	reals    []realLine
	marks    []markLine

	end          int      // line at which the Perl ldirectord sees that the section is over
	underIndent  Position // its first directive at column 0; zero when there is none
	unclear      bool     // a later line could be global or the section's
	littleIndent bool     // one with less than four blanks was reported
}
