package checker

import _ "embed"

//go:embed externalperl.pl
var perlRunner string

// newExternalPerl runs a Perl file in a Perl of its own for each check. The reference reads it once
// into itself; here a file that hangs or exits harms only its own check.
func newExternalPerl(s Spec, e *Env) *external {
	return newProgram(s, e, "perl", "-e", perlRunner, "--", s.Command)
}
