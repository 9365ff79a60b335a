package parser

import "net/netip"

// scope is what may be said globally and in a section, as it was written there.
type scope struct {
	opts *Options
	at   map[string]Position // the directives that were written; others have no value

	checkTimeout, negotiateTimeout, checkInterval int64 // seconds; 0: not written
	checkCount, failureCount, riseCount           int64 // 0: not written
	windowNeed, windowSize                        int64 // 0: not written
	quiescent, cleanStop, repair                  choice
	fallbackCommand, onChange                     string
	mailTo, smtp                                  string
	mailFreq                                      int64
	mailStatus                                    MailStatus
}

func (s *scope) has(directive string) bool {
	_, ok := s.at[directive]
	return ok
}

// globals are the directives outside the sections.
type globals struct {
	scope
	autoReload, supervised, fork, readdQuiescent choice

	callback, mailFrom, maintenanceDir string
	logFile                            string
	execute                            []string
	executes                           map[string]bool // what execute holds
	fallback, fallback6                *fallbackLine
	listen                             netip.AddrPort
	statusGroup                        string
}

// section is a virtual service as written: its header and the directives that belong to it. What
// needs no more than its own line stands in v already.
type section struct {
	scope
	header
	v Virtual

	ops, tlsVerify, startTLS        choice
	clearText                       choice
	persistent, checkPort, connects int64
	tlsExpiryWarn                   int64    // days; 0: not written
	protocol                        Protocol // "" when not written
	fallback                        *fallbackLine
	reals                           []realLine
	marks                           []markLine
	extensions                      []*Directive // that are written, each once

	end          int      // line at which the reference sees that the section is over
	underIndent  Position // its first directive at column 0; zero when there is none
	unclear      bool     // a later line could be global or the section's
	littleIndent bool     // one with less than four blanks was reported
}

// probe is an empty section of the same kind, to try how the reference reads a value.
func (s *section) probe() *section {
	return &section{header: s.header, scope: scope{opts: &Options{HostName: s.opts.HostName}}}
}

func (g *globals) probe() *globals {
	return &globals{scope: scope{opts: &Options{}}}
}

// place is where the section's diagnostics belong.
func (s *section) place(p phase) place { return place{block: s.line.number, phase: p} }
