package parser

import "crypto/sha256"

// globals holds the values of directives outside of sections.
type globals struct {
	Global
	executes            map[string]bool              // the names in Execute
	includes            []line                       // the lines of Include
	checks              map[string]bool              // the names of checkdefs
	secrets             map[string][sha256.Size]byte // becomes Config.Secrets
	fallback, fallback6 *realLine
}

// section is a virtual service or a block as written, with its header and its directives. v already contains the values
// of directives that do not depend on other lines.
type section struct {
	header
	v        Virtual
	block    *block  // nil for a virtual service
	from     blockID // the block whose lines it takes now
	fallback *realLine
	reals    []realLine
	asking   []Position // the lines of servers with their own REQUEST and RECEIVE, even if their lists are empty
	marks    []markLine

	moreFallbacks []*realLine // of alsofallback

	end          int   // the line at which it ends for the Perl ldirectord
	underIndent  *line // its first directive that is not indented; nil when there is none
	unclear      bool  // a later line may be global or of the section
	littleIndent bool  // a line with fewer than four blanks was reported
}
