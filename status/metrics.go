package status

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/director"
)

// MetricsType is the media type of what WriteMetrics writes.
const MetricsType = "text/plain; version=0.0.4; charset=utf-8"

// WriteMetrics writes everything that is counted in the text format of Prometheus. Label values come from the
// configuration and from fixed lists alone, never from what a server answers. It holds no more in memory than
// the snapshot: 10,000 servers are 14 MB of text.
func WriteMetrics(w io.Writer, s *director.Snapshot, p Process) error {
	e := exposition{bufio.NewWriterSize(w, 32<<10)}
	e.process(s, p)
	e.table(s)
	e.virtuals(s)
	e.announcements(s)
	e.servers(s)
	return e.w.Flush()
}

func (e exposition) process(s *director.Snapshot, p Process) {
	e.family("ldirectord_build_info", "gauge", "Version of the daemon and of the Go that built it.")
	e.sample("ldirectord_build_info", 1, "version", p.Version, "goversion", runtime.Version())
	e.one("process_start_time_seconds", "gauge", "Start of the process in seconds since the epoch.", seconds(p.Started))
	e.one("ldirectord_standby", "gauge", "1 while the table is left to others.", number(s.Standby))
	e.one("ldirectord_config_last_reload_successful", "gauge", "0 when the file was refused the last time it was read.", number(p.Reloads.Error == ""))
	e.one("ldirectord_config_last_reload_success_timestamp_seconds", "gauge", "When the configuration in force was taken over.", seconds(p.Reloads.Last))
	e.family("ldirectord_config_reloads_total", "counter", "How often the file was read again.")
	e.sample("ldirectord_config_reloads_total", float64(p.Reloads.Succeeded), "result", "success")
	e.sample("ldirectord_config_reloads_total", float64(p.Reloads.Refused), "result", "refused")
	e.one("ldirectord_check_overdue_seconds", "gauge", "By how much the most overdue check is late.", s.Overdue.Seconds())
	e.one("ldirectord_own_shortages_total", "counter", "Checks that failed because this machine lacked descriptors, memory, ports or permissions.", float64(s.Shortages))
	e.family("ldirectord_events_total", "counter", "Events of the journal, such as mail-failed and hook-failed.")
	for _, kind := range slices.Sorted(maps.Keys(p.Events)) {
		e.sample("ldirectord_events_total", float64(p.Events[kind]), "event", kind)
	}
}

func (e exposition) table(s *director.Snapshot) {
	e.one("ldirectord_table_readable", "gauge", "0 while the table of IPVS can't be read.", number(s.Unread == ""))
	e.one("ldirectord_mark_rules_set", "gauge", "0 while the firewall rules that set marks can't be set.", number(s.Marks == ""))
	e.family("ldirectord_table_operations_total", "counter", "Operations on the table of IPVS that succeeded.")
	for kind, n := range s.Table.All() {
		e.sample("ldirectord_table_operations_total", float64(n.Done), "operation", kind)
	}
	e.family("ldirectord_table_errors_total", "counter", "Operations on the table of IPVS that failed. They are tried again.")
	for kind, n := range s.Table.All() {
		e.sample("ldirectord_table_errors_total", float64(n.Failed), "operation", kind)
	}
}

// ofVirtuals writes a gauge of the virtual services that have it.
func (e exposition) ofVirtuals(s *director.Snapshot, name, help string, value func(*director.VirtualSnapshot) (n float64, has bool)) {
	e.family(name, "gauge", help)
	for i := range s.Virtuals {
		if n, has := value(&s.Virtuals[i]); has {
			e.sample(name, n, "virtual", s.Virtuals[i].ID)
		}
	}
}

// ofServers writes a metric of the real servers that have it.
func (e exposition) ofServers(s *director.Snapshot, name, kind, help string, value func(*director.ServerSnapshot) (n float64, has bool)) {
	e.family(name, kind, help)
	e.eachServer(s, name, value)
}

// eachServer writes samples of the real servers that have them, with one more label or none.
func (e exposition) eachServer(s *director.Snapshot, name string, value func(*director.ServerSnapshot) (n float64, has bool), label ...string) {
	labels := append([]string{"virtual", "", "real", ""}, label...)
	for v, r := range s.Each() {
		if n, has := value(r); has {
			labels[1], labels[3] = v.ID, r.Real
			e.sample(name, n, labels...)
		}
	}
}

func (e exposition) virtuals(s *director.Snapshot) {
	e.family("ldirectord_virtual_info", "gauge", "Always 1; servicename is what the file calls the virtual service.")
	for i := range s.Virtuals {
		e.sample("ldirectord_virtual_info", 1, "virtual", s.Virtuals[i].ID, "servicename", s.Virtuals[i].Title)
	}
	e.ofVirtuals(s, "ldirectord_virtual_written", "1 when the table has the virtual service as it should be.",
		func(v *director.VirtualSnapshot) (float64, bool) { return number(v.Written), true })
	e.ofVirtuals(s, "ldirectord_virtual_fallback_active", "1 while the fallback server serves the virtual service.",
		func(v *director.VirtualSnapshot) (float64, bool) {
			return number(v.Fallback != nil && v.Fallback.Active), v.Fallback != nil
		})
	e.ofVirtuals(s, "ldirectord_virtual_draining", "Real servers that left the file and keep their connections, see draintime. Virtual services without any are absent.",
		func(v *director.VirtualSnapshot) (float64, bool) { return float64(len(v.Leaving)), len(v.Leaving) > 0 })
	e.ofVirtuals(s, "ldirectord_virtual_guard_held", "Real servers that keepserving, or the brake of checkvip, holds in service though their checks fail. Absent without keepserving while the brake holds nobody.",
		func(v *director.VirtualSnapshot) (float64, bool) {
			held := v.Guard.Held
			for i := range v.Servers {
				if v.Servers[i].Braked {
					held++
				}
			}
			return float64(held), v.Guard.Keeps > 0 || held > 0
		})
	e.ofVirtuals(s, "ldirectord_virtual_minservers_met", "0 while fewer servers are up than minservers says. Absent without minservers.",
		func(v *director.VirtualSnapshot) (float64, bool) {
			return number(v.Enough != nil && v.Enough.Enough), v.Enough != nil
		})
	const took = "ldirectord_check_duration_seconds"
	e.family(took, "histogram", "How long the checks of a virtual service's servers took.")
	for i := range s.Virtuals {
		v := &s.Virtuals[i]
		for bound, n := range v.Took.Classes() {
			e.sample(took+"_bucket", float64(n), "virtual", v.ID, "le", fmt.Sprint(bound.Seconds()))
		}
		e.sample(took+"_bucket", float64(v.Took.Count), "virtual", v.ID, "le", "+Inf")
		e.sample(took+"_sum", v.Took.Sum.Seconds(), "virtual", v.ID)
		e.sample(took+"_count", float64(v.Took.Count), "virtual", v.ID)
	}
}

func (e exposition) announcements(s *director.Snapshot) {
	if len(s.Announcements) == 0 {
		return
	}
	e.family("ldirectord_announced", "gauge", "1 while the address is on the device of announce. Absent without announce.")
	for _, a := range s.Announcements {
		e.sample("ldirectord_announced", number(a.On == a.Device), "address", a.Address, "device", a.Device)
	}
	e.family("ldirectord_announcement_changes_total", "counter", "How often the address came, went or moved to another device.")
	for _, a := range s.Announcements {
		e.sample("ldirectord_announcement_changes_total", float64(a.Changes), "address", a.Address)
	}
}

func (e exposition) servers(s *director.Snapshot) {
	e.ofServers(s, "ldirectord_server_up", "gauge", "1 while the real server passes its checks and may serve.",
		func(r *director.ServerSnapshot) (float64, bool) { return number(r.Up), true })
	e.family("ldirectord_server_suspended", "gauge", "1 for a real server that the operator took out: maintenance, drained or off. Others are absent.")
	for v, r := range s.Each() {
		if r.State == "maintenance" || r.State == "drained" || r.State == "off" {
			e.sample("ldirectord_server_suspended", 1, "virtual", v.ID, "real", r.Real, "state", r.State)
		}
	}
	e.family("ldirectord_server_order", "gauge", "1 for a real server, or without real for a virtual service, with an order of the operator; its end is set or none. Others are absent.")
	for _, at := range s.Orders.Sorted() {
		o, end := s.Orders[at], "set"
		if o.Until.IsZero() {
			end = "none"
		}
		e.sample("ldirectord_server_order", 1, "virtual", at.Virtual, "real", at.Real, "order", string(o.Kind), "end", end)
	}
	e.ofServers(s, "ldirectord_server_unjudged", "gauge", "1 for a real server whose last answer can't be compared with receive: its state is kept. Others are absent.",
		func(r *director.ServerSnapshot) (float64, bool) { return 1, r.Unjudged != "" })
	e.ofServers(s, "ldirectord_server_certificate_not_after_timestamp_seconds", "gauge", "When the certificate ends that the real server showed a check. Absent without TLS.",
		func(r *director.ServerSnapshot) (float64, bool) { return float64(r.CertEnd), r.CertEnd != 0 })
	if !s.Small {
		e.stages(s)
		e.tallies(s)
		e.traffic(s)
	}
}

// stages are how long checks took by stage, where they got through it.
func (e exposition) stages(s *director.Snapshot) {
	e.family("ldirectord_check_stage_seconds_total", "counter", "Time that checks of a virtual service's servers spent in a stage; a stage is absent until the first.")
	e.eachStage(s, "ldirectord_check_stage_seconds_total", func(_ uint64, sum time.Duration) float64 { return sum.Seconds() })
	e.family("ldirectord_check_stages_total", "counter", "How often checks got through a stage.")
	e.eachStage(s, "ldirectord_check_stages_total", func(n uint64, _ time.Duration) float64 { return float64(n) })
}

func (e exposition) eachStage(s *director.Snapshot, name string, value func(uint64, time.Duration) float64) {
	for i := range s.Virtuals {
		for mark, t := range s.Virtuals[i].Stages {
			if t.Count > 0 {
				e.sample(name, value(t.Count, t.Sum), "virtual", s.Virtuals[i].ID, "stage", checker.Mark(mark).String())
			}
		}
	}
}

// tallies are what is counted for each real server.
func (e exposition) tallies(s *director.Snapshot) {
	e.ofServers(s, "ldirectord_server_weight", "gauge", "Weight in the table; 0 when the server is not there.",
		func(r *director.ServerSnapshot) (float64, bool) { return float64(r.Effective), true })
	e.ofServers(s, "ldirectord_server_checks_total", "counter", "Checks of the real server.",
		func(r *director.ServerSnapshot) (float64, bool) { return float64(r.Tally.Checks), true })
	e.family("ldirectord_server_check_failures_total", "counter", "Checks that failed, by reason; a reason is absent until its first failure.")
	for v, r := range s.Each() {
		for cause, n := range r.Tally.Failures() {
			e.sample("ldirectord_server_check_failures_total", float64(n), "virtual", v.ID, "real", r.Real, "reason", cause)
		}
	}
	e.ofServers(s, "ldirectord_server_transitions_total", "counter", "How often the real server went down or came back.",
		func(r *director.ServerSnapshot) (float64, bool) { return float64(r.Tally.Transitions), true })
}

// traffic is what the kernel counts, as the table was read the last time: a scrape asks it nothing.
func (e exposition) traffic(s *director.Snapshot) {
	if s.Counted.IsZero() {
		return
	}
	e.one("ldirectord_traffic_age_seconds", "gauge", "How long ago the connections, packets and bytes of real servers were read from the kernel.", s.Time.Sub(s.Counted).Seconds())
	counted := func(value func(*director.ServerSnapshot) uint64) func(*director.ServerSnapshot) (float64, bool) {
		return func(r *director.ServerSnapshot) (float64, bool) { return float64(value(r)), r.Counted }
	}
	const now, packets, bytes = "ldirectord_server_connections", "ldirectord_server_packets_total", "ldirectord_server_bytes_total"
	e.family(now, "gauge", "Connections of the real server now; persistent are clients that come back to it.")
	e.eachServer(s, now, counted(func(r *director.ServerSnapshot) uint64 { return uint64(r.Carries.Active) }), "state", "active")
	e.eachServer(s, now, counted(func(r *director.ServerSnapshot) uint64 { return uint64(r.Carries.Inactive) }), "state", "inactive")
	e.eachServer(s, now, counted(func(r *director.ServerSnapshot) uint64 { return uint64(r.Carries.Persistent) }), "state", "persistent")
	e.ofServers(s, "ldirectord_server_connections_total", "counter", "Connections of the real server since it was put in the table.",
		counted(func(r *director.ServerSnapshot) uint64 { return r.Carries.Traffic.Connections }))
	e.family(packets, "counter", "Packets to (in) and from (out) the real server since it was put in the table.")
	e.eachServer(s, packets, counted(func(r *director.ServerSnapshot) uint64 { return r.Carries.Traffic.PacketsIn }), "direction", "in")
	e.eachServer(s, packets, counted(func(r *director.ServerSnapshot) uint64 { return r.Carries.Traffic.PacketsOut }), "direction", "out")
	e.family(bytes, "counter", "Bytes of those packets.")
	e.eachServer(s, bytes, counted(func(r *director.ServerSnapshot) uint64 { return r.Carries.Traffic.BytesIn }), "direction", "in")
	e.eachServer(s, bytes, counted(func(r *director.ServerSnapshot) uint64 { return r.Carries.Traffic.BytesOut }), "direction", "out")
}
