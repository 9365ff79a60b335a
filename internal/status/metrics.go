package status

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"

	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/printable"
	"ldirectord/internal/view"
)

// MetricsType is the media type of the text that WriteMetrics writes.
const MetricsType = "text/plain; version=0.0.4; charset=utf-8"

// WriteMetrics writes all metrics in the text format of Prometheus. Label values never come from a server's answers. It
// does not build the whole text in memory, because 10,000 servers need 14 MB of text.
func WriteMetrics(w io.Writer, s *view.Snapshot, p Process) error {
	e := exposition{bufio.NewWriterSize(w, 32<<10), s}
	e.process(p)
	e.table()
	e.virtuals()
	e.announcements()
	e.servers()
	return e.w.Flush()
}

func (e exposition) process(p Process) {
	e.family("ldirectord_build_info").add(1,
		"version", p.Version, "goversion", runtime.Version())
	e.family("ldirectord_config_info").add(1, "hash", p.Sum)
	e.family("process_start_time_seconds").add(seconds(p.Started))
	e.family("ldirectord_standby").add(number(e.s.Standby))
	e.family("ldirectord_config_last_reload_successful").add(number(p.Reloads.Error == ""))
	e.family("ldirectord_config_in_force").add(number(p.Reloads.InForce()))
	e.family("ldirectord_config_last_reload_success_timestamp_seconds").add(seconds(p.Reloads.Last))
	reloads := e.family("ldirectord_config_reloads_total")
	reloads.add(float64(p.Reloads.Succeeded), "result", "success")
	reloads.add(float64(p.Reloads.Refused), "result", "refused")
	e.family("ldirectord_check_overdue_seconds").add(e.s.Overdue.Seconds())
	e.family("ldirectord_own_shortages_total").add(float64(e.s.Shortages))
	machine := e.family("ldirectord_machine_condition")
	for _, c := range e.s.Conditions {
		machine.add(1, "kind", c.Kind)
	}
	events := e.family("ldirectord_events_total")
	for _, kind := range slices.Sorted(maps.Keys(p.Events)) {
		events.add(float64(p.Events[kind]), "event", kind)
	}
	failing := e.family("ldirectord_failing")
	for _, f := range p.Failures {
		failing.add(1, "event", f.Event)
	}
}

func (e exposition) table() {
	e.family("ldirectord_table_readable").add(number(e.s.Unread == ""))
	e.family("ldirectord_mark_rules_set").add(number(e.s.Marks == ""))
	done := e.family("ldirectord_table_operations_total")
	for i, kind := range view.OperationNames {
		done.add(float64(e.s.Table[i].Done), "operation", kind)
	}
	failed := e.family("ldirectord_table_errors_total")
	for i, kind := range view.OperationNames {
		failed.add(float64(e.s.Table[i].Failed), "operation", kind)
	}
}

func (e exposition) virtuals() {
	for f, v := range e.family("ldirectord_virtual_info").virtuals() {
		f.add(1, "servicename", printable.Text(v.Title))
	}
	for f, v := range e.family("ldirectord_virtual_serving").virtuals() {
		if !(*Virtual)(v).IsOff() {
			f.add(float64(v.Serving))
		}
	}
	for f, v := range e.family("ldirectord_virtual_written").virtuals() {
		f.add(number(v.Written))
	}
	for f, v := range e.family("ldirectord_virtual_elsewhere").virtuals() {
		if v.Owner != "" {
			f.add(1)
		}
	}
	for f, v := range e.family("ldirectord_virtual_fallback_active").virtuals() {
		if v.Fallback != nil {
			f.add(number(v.ServingFallback() != nil))
		}
	}
	for f, v := range e.family("ldirectord_fallback_up").virtuals() {
		for _, one := range v.Fallbacks() {
			if !one.Checked.IsZero() {
				f.add(number(one.State != "down"), "real", one.Server)
			}
		}
	}
	for f, v := range e.family("ldirectord_virtual_draining").virtuals() {
		if len(v.Leaving) > 0 {
			f.add(float64(len(v.Leaving)))
		}
	}
	for f, v := range e.family("ldirectord_virtual_guard_held").virtuals() {
		held := v.Guard.Held
		for _, s := range v.Servers {
			if s.Withheld {
				held++
			}
		}
		if v.Guard.Keeps > 0 || v.Guard.Paced || held > 0 {
			f.add(float64(held))
		}
	}
	for f, v := range e.family("ldirectord_virtual_minservers_met").virtuals() {
		if v.Enough != nil {
			f.add(number(v.Enough.Enough))
		}
	}
	for f, v := range e.family("ldirectord_virtual_full").virtuals() {
		if v.Full {
			f.add(1)
		}
	}
	for f, v := range e.family("ldirectord_check_duration_seconds").virtuals() {
		if !e.s.Small {
			f.suffix = "_bucket"
			for i, bound := range view.Bounds {
				f.add(float64(v.Took.Classes[i]), "le", fmt.Sprint(bound.Seconds()))
			}
			f.add(float64(v.Took.Count), "le", "+Inf")
		}
		f.suffix = "_sum"
		f.add(v.Took.Sum.Seconds())
		f.suffix = "_count"
		f.add(float64(v.Took.Count))
	}
}

func (e exposition) announcements() {
	if len(e.s.Announcements) == 0 {
		return
	}
	announced := e.family("ldirectord_announced")
	for _, a := range e.s.Announcements {
		isThere := a.On == a.Device || a.Up && a.Foreign == a.Device
		announced.add(number(isThere), "address", a.Address, "device", a.Device)
	}
	last := e.family("ldirectord_announced_last_resort")
	for _, a := range e.s.Announcements {
		last.add(number(a.State == "last resort"), "address", a.Address)
	}
	changes := e.family("ldirectord_announcement_changes_total")
	for _, a := range e.s.Announcements {
		changes.add(float64(a.Changes), "address", a.Address)
	}
}

func (e exposition) servers() {
	for f, r := range e.family("ldirectord_server_up").servers() {
		f.add(number(r.Up))
	}
	for f, r := range e.family("ldirectord_server_suspended").servers() {
		if r.State == "maintenance" || r.State == "drained" || r.State == "off" {
			f.add(1, "state", r.State)
		}
	}
	orders := e.family("ldirectord_server_order")
	for _, at := range e.s.Orders.Sorted() {
		o, end := e.s.Orders[at], "set"
		if o.Until.IsZero() {
			end = "none"
		}
		orders.add(1, "virtual", at.Virtual, "real", at.Real, "order", string(o.Kind), "end", end)
	}
	for f, r := range e.family("ldirectord_server_unjudged").servers() {
		if r.Unjudged != "" {
			f.add(1)
		}
	}
	for f, r := range e.family("ldirectord_server_waiting").servers() {
		if r.WaitsFor != "" {
			f.add(1, "for", r.WaitsFor)
		}
	}
	for f, r := range e.family("ldirectord_server_full").servers() {
		if r.Full {
			f.add(1)
		}
	}
	for f, r := range e.family("ldirectord_server_suspected").servers() {
		if r.Suspected != "" {
			f.add(1)
		}
	}
	for f, r := range e.family("ldirectord_server_certificate_not_after_timestamp_seconds").servers() {
		if r.CertEnd != 0 {
			f.add(float64(r.CertEnd))
		}
	}
	if !e.s.Small {
		e.conditions()
		// how long checks took in each stage that they completed
		e.family("ldirectord_check_stage_seconds_total").stages(
			func(t view.StageTime) float64 { return t.Sum.Seconds() })
		e.family("ldirectord_check_stages_total").stages(
			func(t view.StageTime) float64 { return float64(t.Count) })
		e.tallies()
		e.carried()
	}
}

// conditions writes the current conditions.
func (e exposition) conditions() {
	all := e.family("ldirectord_condition")
	for f, v := range all.virtuals() {
		for _, c := range v.Conditions {
			f.add(1, "kind", c.Kind)
		}
	}
	for f, r := range all.servers() {
		for _, c := range r.Conditions {
			f.add(1, "kind", c.Kind)
		}
	}
}

// stages adds a sample for each stage of the checks of each virtual service.
func (f family) stages(value func(view.StageTime) float64) {
	for f, v := range f.virtuals() {
		for mark, t := range v.Stages {
			if t.Count > 0 {
				f.add(value(t), "stage", wire.Mark(mark).String())
			}
		}
	}
}

// tallies writes the director's counters for each real server.
func (e exposition) tallies() {
	for f, r := range e.family("ldirectord_server_weight").servers() {
		f.add(float64(r.Effective))
	}
	for f, r := range e.family("ldirectord_server_checks_total").servers() {
		f.add(float64(r.Tally.Checks))
	}
	for f, r := range e.family("ldirectord_server_check_failures_total").servers() {
		for cause, n := range r.Tally.Failures() {
			f.add(float64(n), "reason", cause)
		}
	}
	for f, r := range e.family("ldirectord_server_transitions_total").servers() {
		f.add(float64(r.Tally.Transitions))
	}
}

// carried writes the kernel's counters as they were last read with the table. A scrape itself sends no request to the
// kernel.
func (e exposition) carried() {
	if e.s.Counted.IsZero() {
		return
	}
	e.family("ldirectord_traffic_age_seconds").add(e.s.Time.Sub(e.s.Counted).Seconds())
	var all family
	for i, row := range traffic {
		if row[0] != all.name {
			all = e.family(row[0])
		}
		comesBack := row[len(row)-1] == "out"
		for f, r := range all.servers() {
			if r.Counted && (!comesBack || r.Forward == lvs.Masq) {
				f.add(numbersOf(r)[i], row[1:]...)
			}
		}
	}
}

// traffic lists the metrics about a real server's connections and traffic, with their labels.
var traffic = [][]string{
	{"ldirectord_server_connections", "state", "active"},
	{"ldirectord_server_connections", "state", "inactive"},
	{"ldirectord_server_connections", "state", "persistent"},
	{"ldirectord_server_connections_total"},
	{"ldirectord_server_packets_total", "direction", "in"},
	{"ldirectord_server_packets_total", "direction", "out"},
	{"ldirectord_server_bytes_total", "direction", "in"},
	{"ldirectord_server_bytes_total", "direction", "out"},
}

// numbersOf returns the counters of a real server in the order of the list traffic.
func numbersOf(r *Server) [8]float64 {
	c, all := &r.Carries, &r.Carries.Traffic
	return [...]float64{float64(c.Active), float64(c.Inactive), float64(c.Persistent), float64(all.Connections),
		float64(all.PacketsIn), float64(all.PacketsOut), float64(all.BytesIn), float64(all.BytesOut)}
}
