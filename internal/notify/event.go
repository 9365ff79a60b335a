// Package notify reports what happened. Its journal passes events to the log and to mail. The package also runs the
// operator's commands and writes monitorfiles.
package notify

import (
	"fmt"
	"time"

	"ldirectord/internal/lvs"
)

// Kind names a type of event. The names never change, because log watchers may match them.
type Kind string

// What can happen. docs/events.md contains this list with the same comments.
const (
	Starting       Kind = "starting"        // the daemon starts
	Terminated     Kind = "terminated"      // the daemon stops; the line says why
	Reloading      Kind = "reloading"       // a signal or a command requested a reload
	ConfigChanged  Kind = "config-changed"  // a file of the configuration was changed or removed
	ConfigReread   Kind = "config-reread"   // the changed file is in force
	ConfigIgnored  Kind = "config-ignored"  // the file is not in force; the line says why
	ConfigError    Kind = "config-error"    // the file was refused
	ConfigWarning  Kind = "config-warning"  // the file was accepted, but has a likely mistake
	NameFound      Kind = "name-found"      // a host name has its first address, or can be looked up again
	NameMoved      Kind = "name-moved"      // a host name has another address
	NameLost       Kind = "name-lost"       // a host name can't be looked up; its last address stays in use
	AddedVirtual   Kind = "added-virtual"   // a virtual service was added
	ChangedVirtual Kind = "changed-virtual" // the settings of a virtual service were changed
	PurgedVirtual  Kind = "purged-virtual"  // a virtual service was removed
	Added          Kind = "added"           // a server was added to the table
	Restored       Kind = "restored"        // a server has a weight again, or another weight
	Climbs         Kind = "climbs"          // the weight of a server that came back starts to rise, see slowstart
	Climbed        Kind = "climbed"         // the weight of a server that climbed has reached its full value
	Promoted       Kind = "promoted"        // the director was on standby, and serves now
	StandingBy     Kind = "standing-by"     // the director checks servers, but leaves the table alone
	TakenOver      Kind = "taken-over"      // virtual services came from another daemon, or were left to it
	Shared         Kind = "shared"          // another daemon also has virtual services of the file
	Drained        Kind = "drained"         // a server drains, for example by order: it has weight 0
	Quiescent      Kind = "quiescent"       // a server has weight 0 because it is down
	Deleted        Kind = "deleted"         // a server that is out of service, or a fallback server, was removed
	Purged         Kind = "purged"          // a server was removed because it is not configured, or at a stop
	SoftFailure    Kind = "soft-failure"    // a check failed, not yet often enough for the server to be down
	SoftReset      Kind = "soft-reset"      // a check passes again; its earlier failures no longer count
	CheckFailed    Kind = "check-failed"    // a server is down
	Tells          Kind = "tells"           // a server or its check reduces the server's weight, or restores it
	Unwatched      Kind = "unwatched"       // no idle connection to a server can be kept, see watch
	CheckWarning   Kind = "check-warning"   // a check has a warning, or its answer can't be judged
	LocalShortage  Kind = "local-shortage"  // this machine lacks descriptors, memory or ports: checks prove nothing
	Unjudged       Kind = "unjudged"        // an answer can't be compared with receive in time: it proves nothing
	ChangedByHand  Kind = "changed-by-hand" // another program changed the daemon's part of the table
	MarkRules      Kind = "mark-rules"      // the rules that set firewall marks were changed
	Timeouts       Kind = "timeouts"        // the timeouts of idle connections were set, or set again
	TableError     Kind = "table-error"     // reading or changing the table or mark rules failed; it is tried again
	TableRecovered Kind = "table-recovered" // the table or mark rules can be read or changed again
	HookOutput     Kind = "hook-said"       // an operator's command printed something
	HookFailed     Kind = "hook-failed"     // an operator's command failed
	Mailing        Kind = "mailing"         // an email was queued
	MailFailed     Kind = "mail-failed"     // a mail can't be sent
	MailRecovered  Kind = "mail-recovered"  // mail can be sent again
	MonitorFailed  Kind = "monitor-failed"  // a monitorfile can't be written
	StateFailed    Kind = "state-failed"    // the file by which commands find the daemon can't be written
	KeepFailed     Kind = "keep-failed"     // state for the next start can't be saved or read
	MaintenanceOn  Kind = "maintenance-on"  // maintenance of a server begins
	MaintenanceOff Kind = "maintenance-off" // maintenance of a server ends
	Ordered        Kind = "ordered"         // an order was given or undone; for a plain drain, see drained
	OrderWaits     Kind = "order-waits"     // orders whose time has come wait for enough servers, or to be recorded
	OrderLost      Kind = "order-lost"      // an order is kept, but its server or virtual service left the file
	OrderEnded     Kind = "order-ended"     // the time of an order is over
	GuardHolds     Kind = "guard-holds"     // keepserving, paceout or the brake of checkvip holds failing servers
	GuardChanged   Kind = "guard-changed"   // keepserving or paceout holds other servers
	GuardOver      Kind = "guard-over"      // keepserving, paceout or the brake no longer holds a server
	GuardObeys     Kind = "guard-obeys"     // an order lets checks take out every server, or that order has ended
	HeldDown       Kind = "held-down"       // a server stays out although it passes, see holddown and comeback
	Full           Kind = "full"            // a server is at its upper limit of connections: it gets no new client
	AllFull        Kind = "all-full"        // all servers in service are full: new clients are refused
	FullOver       Kind = "full-over"       // a server is no longer full, or the servers are no longer all full
	Suspected      Kind = "suspected"       // the clients of a server get no answers, see observe
	SuspicionOver  Kind = "suspicion-over"  // a server is no longer suspected
	Flaps          Kind = "flaps"           // the state of a server changed several times within minutes
	FlapsOver      Kind = "flaps-over"      // a server no longer flaps
	Differs        Kind = "differs"         // a server differs from the others of its section, see samewait
	DiffersOver    Kind = "differs-over"    // a server no longer differs from the others
	BackupServes   Kind = "backup-serves"   // too few servers serve, so the backup servers serve
	BackupRests    Kind = "backup-rests"    // enough servers serve again; the backup servers drain
	FallbackFails  Kind = "fallback-fails"  // a fallback server fails its check, see fallbackcheck
	FallbackPasses Kind = "fallback-passes" // a fallback server that failed passes its check again
	Announced      Kind = "announced"       // an address is on the device of announce
	LastResort     Kind = "last-resort"     // an address is on the device of lastresort
	Withdrawn      Kind = "withdrawn"       // an address is on no device
	AnnounceFailed Kind = "announce-failed" // an address is not where it should be
	ClockSet       Kind = "clock-set"       // the clock of this machine was set
	LastServer     Kind = "last-server"     // the last server of a virtual service is in maintenance
	FolderError    Kind = "folder-error"    // maintenancedir or a file in it can't be read
	FolderReadable Kind = "folder-readable" // maintenancedir can be read again
	Listening      Kind = "listening"       // the daemon serves at the address of listen
	ListFailed     Kind = "list-failed"     // a list of realfile or realnames can't be used
	ListRecovered  Kind = "list-recovered"  // a list of realfile or realnames is used again
	ListenFailed   Kind = "listen-failed"   // the control socket or the address of listen can't be used
	Lost           Kind = "events-lost"     // a receiver was too slow and missed events

	MachineTrouble   Kind = "machine-trouble"   // this machine can't forward as it should, or may soon fail to
	MachineRecovered Kind = "machine-recovered" // this machine's trouble is over

	AnnounceRecovered Kind = "announce-recovered" // addresses are where they should be again

	ConfigConfirmed Kind = "config-confirmed"  // the command confirm came in time, see reload --confirm
	ConfigTakenBack Kind = "config-taken-back" // the former configuration comes back, see reload --confirm

	HookRecovered    Kind = "hook-recovered"    // a failed command succeeds again, or is no longer used
	MonitorRecovered Kind = "monitor-recovered" // a monitorfile can be written again, or is no longer used

	PostFailed    Kind = "webhook-failed"    // a state can't be posted
	PostRecovered Kind = "webhook-recovered" // states can be posted again
)

// Event describes something that happened. Text is the whole message, in the form that log watchers for ldirectord
// expect. The other fields contain its parts. Fields that do not apply are empty.
type Event struct {
	Time     time.Time
	Kind     Kind
	Status   lvs.Status // the status of the daemon; set in events of a virtual service
	Virtual  string     // the id of the virtual service: tcp:192.0.2.1:80, fwm:3
	Real     string     // address:port, or host:port if the address of a name may change
	Fallback bool       // Real is a fallback server
	Weight   int        // after the change; meaningful for Added and Restored
	Text     string
	Reason   string // for a person: the message of the check or the kernel
	Key      string // identifies what fails or works again, among the failures of a kind

	// The details that a mail adds about a real server.
	Name    string        // as commands call it; "" for a fallback server
	Before  string        // its previous state; "" if that does not matter
	Lasted  time.Duration // how long the previous state lasted
	Left    int           // how many servers of the virtual service are in service now
	Servers int           // how many servers the virtual service has; 0: not counted
}

// Say sets the kind and the text of the event.
func (e *Event) Say(kind Kind, format string, args ...any) {
	e.Kind, e.Text = kind, fmt.Sprintf(format, args...)
}
