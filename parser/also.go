package parser

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
)

// This file reads further checks of a section. A further check that fails takes its server down, or lowers the server's
// weight.

// AlsoCheck is an alsocheck line.
type AlsoCheck struct {
	Name    string // of a checkdef; "" for none
	Type    string // connect, ping, external or a service; with a checkdef its checktype
	Port    int    // 0: the real server's
	Request string // with a leading slash, as in a section; used only for a service
	Receive string // "": every answer passes
	Weight  uint8  // percent of its weight that a server keeps if the check fails; 0: it is down
	Written string // the line without insignificant blanks
	At      Position

	RequestAt, ReceiveAt Position

	check *section // with the lines of its checkdef; nil without one
}

// maxAlsoChecks is the maximum number of alsocheck lines in a section.
const maxAlsoChecks = 16

var alsoTypes = append([]string{Connect, Ping, External}, serviceNames...)

func readAlsoCheck(v *value) {
	virtual := &v.section.v
	if len(virtual.AlsoChecks) == maxAlsoChecks {
		v.refuse(tooLarge, "the section has more than %d lines of alsocheck", maxAlsoChecks)
	}
	text, weight := v.text, ""
	if m := alsoWeight.FindStringSubmatch(text); m != nil {
		text, weight = m[1], m[2]
	}
	plain, _, _ := strings.Cut(text, `"`)
	strs, list := text[len(plain):], words(plain)
	if len(list) == 0 {
		v.bad("has no check; it must be %s", alsoCheckForm)
		return
	}
	c := AlsoCheck{Type: list[0], At: v.position()}
	switch {
	case v.globals.checks[c.Type]:
		c.Name = c.Type
	case !slices.Contains(alsoTypes, c.Type):
		v.wrong("%q is not a check%s; it must be one of %s; a block checkdef = NAME defines another check",
			c.Type, DidYouMean(c.Type, alsoTypes), Enumerate(alsoTypes))
	}
	c.readPort(v, list[1:])
	c.readStrings(v, strs)
	c.readWeight(v, weight)
	if v.problem != nil {
		return
	}
	c.RequestAt, c.ReceiveAt = v.around(strs), v.around(strs)
	if i := strings.LastIndex(v.line.text, `"`+c.Receive+`"`); i > 0 {
		c.ReceiveAt = v.at(i)
	}
	c.Written = trim(trim(strings.Join(list, " ")+" "+strs) + " " + weight)
	virtual.AlsoChecks = append(virtual.AlsoChecks, c)
}

// alsoWeight matches a line that ends with a weight.
var alsoWeight = regexp.MustCompile(`^([^"]*|.*")[\s\v]+(weight=.*)$`)

func (c *AlsoCheck) readWeight(v *value, text string) {
	part, ok := parsePart(strings.TrimPrefix(text, "weight="))
	if text != "" && (!ok || !part.Percent || part.N > 99) {
		v.wrong("%q is not allowed; it must be a percentage from 1%% to 99%%, such as weight=50%%",
			text).part = text
	}
	c.Weight = uint8(part.N)
}

// readPort reads the port from the words between the type and the strings.
func (c *AlsoCheck) readPort(v *value, list []string) {
	switch {
	case len(list) == 0:
		return
	case !c.hasPort():
		v.wrong("%s has no port; write alsocheck = %[1]s", c.Type).part = list[0]
	case len(list) > 1:
		v.wrong("%q is neither a port nor in double quotes; the form is %s", list[1],
			alsoCheckForm).part = list[1]
	}
	port, ok := natural(list[0], 1, maxPort)
	if !ok {
		v.wrong("%q is not a port; it must be a number from 1 to %d", list[0], maxPort).part = list[0]
	}
	c.Port = port
}

// readStrings reads "REQUEST" or "REQUEST" "RECEIVE".
func (c *AlsoCheck) readStrings(v *value, text string) {
	request, receive, two := splitPair(text)
	switch {
	case text == "":
	case c.Name != "":
		v.wrong("%s is a checkdef; its request and receive belong in its block", c.Name).part = text
	case !slices.Contains(serviceNames, c.Type):
		v.wrong("%s has no request; \"REQUEST\" and \"RECEIVE\" are for services", c.Type).part = text
	case two:
	case len(text) < 2 || unquote(text) == text:
		v.wrong(`%q is not "REQUEST" or "REQUEST" "RECEIVE"`, text).part = text
	default:
		request = unquote(text)
	}
	if receive != "" && !settings.ServiceOf(c.Type).Takes("receive") {
		v.wrong("%s does not compare an answer; \"RECEIVE\" is only for %s", c.Type,
			servicesThatTake("receive")).part = `"` + receive + `"`
	}
	c.Request, c.Receive = withSlash(request), receive
}

// hasPort reports whether the check uses a port of the server.
func (c *AlsoCheck) hasPort() bool { return c.Type != Ping && c.Type != External }

// furtherChecks adds the checks of alsocheck and agentport. It is called when the rest of the section has been read.
func (a adviser) furtherChecks(hostName string) {
	for i := range a.AlsoChecks {
		c := &a.AlsoChecks[i]
		switch {
		case a.checksNothing():
			a.error(conflict, c.At,
				"alsocheck is given with checktype=%s, which checks nothing; use only one of them",
				a.CheckType)
		case c.Port == 0 && c.hasPort():
			a.needsPort(c)
		}
		a.also = append(a.also, a.with(c, hostName))
	}
	if a.AgentPort > 0 {
		a.also = append(a.also, a.with(&AlsoCheck{Type: Agent, Port: int(a.AgentPort), Request: a.AgentSend,
			At: a.At["agentport"]}, ""))
	}
}

// needsPort refuses a check without a port under a firewall mark, or if a real server has none either. If only servers
// of lists have none, needsPort may warn instead, see severityOf.
func (a adviser) needsPort(c *AlsoCheck) {
	severity, lacks := Error, a.Mark > 0
	if !lacks {
		severity, lacks = a.severityOf(func(l *realLine) bool { return strings.Trim(l.port, "0") == "" })
	}
	if lacks {
		a.tell(severity, incomplete, c.At, "%s has no port; it needs one under a firewall mark, or if real "+
			"servers have none; the form is %s", c.Type, alsoCheckForm)
	}
}

// with returns a copy of the section without real servers. The copy has the check of an alsocheck line instead of the
// section's own. The section's request and dialogue apply only to its own check.
func (a adviser) with(c *AlsoCheck, hostName string) *Virtual {
	one := *a.Virtual
	one.isAlso, one.also, one.AlsoChecks, one.Reals, one.Waiting, one.Steps = true, nil, nil, nil, nil, nil
	one.CheckType, one.NumConnects, one.CheckPort, one.Request, one.Receive = c.Type, 0, c.Port,
		c.Request, c.Receive
	one.Tells, one.CheckName, one.At = Tells{}, c.Name, maps.Clone(a.At)
	if c.check != nil {
		a.define(&one, c.check)
	} else {
		one.asWritten(c)
	}
	if one.CheckType == Connect && one.CheckPort > 0 && one.Pings() { // a ping would ignore the port
		one.Protocol = lvs.TCP
	}
	one.fillService(hostName)
	if c.Type == Agent || one.WhyNotVIP() != "" {
		one.CheckVIP = netip.Addr{}
	}
	maps.Copy(one.At, map[string]Position{"checktype": c.At, "service": c.At, "checkport": c.At,
		"request": c.RequestAt, "receive": c.ReceiveAt})
	return &one
}

// asWritten fills in a check whose line names no checkdef.
func (v *Virtual) asWritten(c *AlsoCheck) {
	if slices.Contains(serviceNames, c.Type) {
		v.CheckType, v.Service = Negotiate, c.Type
	}
	if v.runsCommand() {
		v.Origin = settings.Origin{}
	}
	if !v.has("login") {
		v.Login = ""
	}
	if !v.has("passwd") {
		v.Passwd = ""
	}
}

// Checks returns the checks of a section: its own check, followed by the checks of alsocheck and agentport. Each is in
// the form of a section with only that check.
func (v *Virtual) Checks() []*Virtual { return append([]*Virtual{v}, v.also...) }

// Check returns element n of Checks.
func (v *Virtual) Check(n int) *Virtual {
	if n == 0 {
		return v
	}
	return v.also[n-1]
}

var serviceNames = settings.ServicesThat(func(settings.Service) bool { return true })
