package checker

import _ "embed"

//go:embed externalperl.pl
var perlRunner string

// newExternalPerl runs a Perl file in a Perl of its own for each check. The reference reads it once
// into itself; here a file that hangs or crashes harms only its own check.
func newExternalPerl(s Spec, e *Env) *external {
	c := newProgram(s, e, "perl", "-", s.Command)
	c.input = perlRunner
	return c
}
