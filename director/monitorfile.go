package director

import (
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
	if message, line := notify.MonitorMessage(kind, r.OK, r.Detail, r.Said); line {
		d.deps.Monitor.Record(v.cfg.MonitorFile, monitorID(v.cfg, s.real), r.OK, message)
	}
}

// monitorID names a check as monitorfiles do.
func monitorID(cfg *parser.Virtual, r *parser.Real) string {
	id := notify.MonitorID{
		Check:       string(cfg.CheckType),
		Protocol:    string(cfg.Protocol),
		Server:      parser.FormatAddr(r.Addr.Addr()),
		Port:        strconv.Itoa(int(r.Addr.Port())),
		VirtualHost: cfg.VirtualHost,
		Weight:      strconv.Itoa(r.Weight),
		Forward:     string(r.Forward),
		Request:     r.Request,
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
