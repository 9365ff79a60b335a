package parser

import (
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// This file reads check types, and works out what follows from them.

// The check types. Combined is `checktype=N`: after each negotiate check, the next N checks only connect.
const (
	Negotiate    = "negotiate"
	Connect      = "connect"
	Ping         = "ping"
	External     = "external"
	ExternalPerl = "external-perl"
	On           = "on"
	Off          = "off"
	Combined     = "combined"
	// Agent is the type of the further check that agentport adds. A file can't contain it.
	Agent = "agent"
)

var checkTypes = []string{Negotiate, Connect, Ping, External, ExternalPerl, On, Off}

// definedTypes are the check types that a checkdef may have.
var definedTypes = []string{Negotiate, Connect, Ping, External}

// readCheckType reads a check type or the number of connects. It refuses a check type with a digit after it, because
// the Perl ldirectord reads any value that contains a digit as a number of connects.
func readCheckType(v *value) {
	virtual := &v.section.v
	first, _ := cutWord(unquote(v.text))
	word, connects := firstRun(v.text, isNameByte), 0
	switch {
	case all(first, isDigit):
		if word, connects = Combined, number(0, 0)(v); connects == 0 {
			v.warn(suspicious, "0 connects between two negotiate checks is the same as negotiate")
		}
	case slices.Contains(checkTypes, word) && !strings.ContainsAny(v.text, "0123456789"):
		v.only(word)
	default:
		v.bad("is not a check type%s; it must be one of %s, or the number of connects between two negotiate "+
			"checks", DidYouMean(word, checkTypes), strings.Join(checkTypes, ", "))
	}
	if v.definesCheck() && !slices.Contains(definedTypes, word) {
		v.bad("is not for a checkdef; it must be one of %s", strings.Join(definedTypes, ", "))
	}
	if v.problem == nil {
		virtual.CheckType, virtual.NumConnects = word, connects
	}
}

// Negotiates reports whether the check of a section uses the protocol of its service.
func (v *Virtual) Negotiates() bool { return v.CheckType == Negotiate || v.CheckType == Combined }

func (v *Virtual) runsCommand() bool { return v.CheckType == External || v.CheckType == ExternalPerl }

// checksNothing reports whether checktype is on or off, so that the section's servers are not checked.
func (v *Virtual) checksNothing() bool { return v.CheckType == On || v.CheckType == Off }

// Pings reports whether the check of a section is a ping. That includes connect with UDP, unless silence=up, because
// connecting a UDP socket shows nothing about the server.
func (v *Virtual) Pings() bool {
	return v.CheckType == Ping || v.CheckType == Connect && v.Protocol == lvs.UDP && !v.PingsTheSilent()
}

// PingsTheSilent reports whether a server that does not answer the check's datagram is pinged instead.
func (v *Virtual) PingsTheSilent() bool { return bool(v.Silence) && v.asksByDatagram() }

// asksByDatagram reports whether the directive silence applies. The check then sends a datagram, unless it is a connect
// check with silence=down, which is a ping.
func (v *Virtual) asksByDatagram() bool {
	return v.Protocol == lvs.UDP && (v.CheckType == Connect || v.Negotiates() && v.Service == "simpletcp")
}

// asksPort reports whether the check of a section concerns a port of the server.
func (v *Virtual) asksPort() bool {
	return v.CheckType == Connect || v.CheckType == Combined || v.CheckType == Negotiate && v.Service != "none"
}

// asksByTCP reports whether the check of a section uses TCP. It returns false for every UDP service,
// although some checks of UDP services use TCP.
func (v *Virtual) asksByTCP() bool {
	overTCP := v.Service != "none" && v.Service != "radius" && (v.Service != "dns" || v.Protocol == lvs.TCP)
	return v.Protocol != lvs.UDP && (v.CheckType == Connect || v.Negotiates() && overTCP)
}
