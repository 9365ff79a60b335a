package director

import (
	"regexp"
	"strconv"

	"ldirectord/checker"
	"ldirectord/notify"
	"ldirectord/parser"
)

// monitor writes one result into the virtual service's monitorfile.
func (d *Director) monitor(v *virtual, s *server, r checker.Result) {
	if v.cfg.MonitorFile == "" {
		return
	}
	if s.maintenance != "" {
		d.deps.Monitor.Record(v.cfg.MonitorFile, monitorID(v.cfg, s.real), false, notify.InMaintenance)
		return
	}
	kind := s.task.Spec.Kind()
	if kind == "connect" && v.cfg.Protocol == parser.UDP {
		kind = "ping"
	}
	if kind == "combined" {
		kind = s.task.Spec.Service
	}
	if message, line := notify.MonitorMessage(kind, r.OK, r.Detail, r.Body); line {
		d.deps.Monitor.Record(v.cfg.MonitorFile, monitorID(v.cfg, s.real), r.OK, message)
	}
}

// urlPassword is a URL up to the password of its log-in, and that (RFC 3986, 3.2.1).
var urlPassword = regexp.MustCompile(`(//[^/?#:@\s]*:)[^/?#@\s]*@`)

// monitorID names a check as monitorfiles do, but for passwords.
func monitorID(cfg *parser.Virtual, r *parser.Real) string {
	id := notify.MonitorID{
		Check:       string(cfg.CheckType),
		Protocol:    string(cfg.Protocol),
		Server:      parser.FormatAddr(r.Addr.Addr()),
		Port:        strconv.Itoa(int(r.Addr.Port())),
		VirtualHost: cfg.VirtualHost,
		Weight:      strconv.Itoa(r.Weight),
		Forward:     string(r.Forward),
		Request:     urlPassword.ReplaceAllString(r.Request, "$1…@"),
		Receive:     r.Receive,
	}
	switch cfg.CheckType {
	case parser.Negotiate, parser.Combined:
		id.Check += ":" + cfg.Service
	case parser.External, parser.ExternalPerl:
		id.Check += ":" + cfg.CheckCommand
	}
	if cfg.CheckPort > 0 {
		id.CheckPort = strconv.Itoa(cfg.CheckPort)
	}
	return id.String()
}
