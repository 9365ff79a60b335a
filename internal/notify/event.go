// Package notify reports what happened. Its journal passes events to receivers such as the log and mail. The package
// also runs the operator's commands and writes monitorfiles.
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
	Terminated     Kind = "terminated"      // the daemon stops
	Reloading      Kind = "reloading"       // a signal or command requested a reload
	ConfigChanged  Kind = "config-changed"  // a configuration file was changed or removed
	ConfigReread   Kind = "config-reread"   // the changed file is in force
	ConfigIgnored  Kind = "config-ignored"  // the file is not in force
	ConfigError    Kind = "config-error"    // the file was refused
	ConfigWarning  Kind = "config-warning"  // the file was accepted, but has a likely mistake
	NameFound      Kind = "name-found"      // a host name has its first address, or can be looked up again
	NameMoved      Kind = "name-moved"      // a host name has another address
	NameLost       Kind = "name-lost"       // a host name can't be looked up; its last address is kept
	AddedVirtual   Kind = "added-virtual"   // a virtual service was added
	ChangedVirtual Kind = "changed-virtual" // a virtual service's settings were changed
	PurgedVirtual  Kind = "purged-virtual"  // a virtual service was removed
	Added          Kind = "added"           // a server was added to the table
	Restored       Kind = "restored"        // a server has a weight again, or another weight
	Climbs         Kind = "climbs"          // slowstart raises the weight of a returning server
	Climbed        Kind = "climbed"         // a climbing server has its full weight
	Promoted       Kind = "promoted"        // a standby director begins to serve
	StandingBy     Kind = "standing-by"     // the director is on standby
	TakenOver      Kind = "taken-over"      // virtual services came from another daemon, or were left to it
	Shared         Kind = "shared"          // another daemon also has virtual services of the file
	Drained        Kind = "drained"         // a server drains: it has weight 0
	Quiescent      Kind = "quiescent"       // a server has weight 0 because it is down
	Deleted        Kind = "deleted"         // a server out of service, or a fallback server, was removed
	Purged         Kind = "purged"          // a server was removed because it is not configured, or at a stop
	SoftFailure    Kind = "soft-failure"    // a check failed, but the server is not down yet
	SoftReset      Kind = "soft-reset"      // a check passes again after soft failures
	CheckFailed    Kind = "check-failed"    // a server is down
	Tells          Kind = "tells"           // a server or its check changes the server's weight
	Unwatched      Kind = "unwatched"       // watch can't keep a connection to a server
	CheckWarning   Kind = "check-warning"   // a check has a warning, or its answer can't be judged
	LocalShortage  Kind = "local-shortage"  // this machine lacks descriptors, memory or ports for checks
	Unjudged       Kind = "unjudged"        // an answer can't be compared with receive in time
	ChangedByHand  Kind = "changed-by-hand" // another program changed the daemon's part of the table
	MarkRules      Kind = "mark-rules"      // the firewall mark rules were changed
	Timeouts       Kind = "timeouts"        // the timeouts of idle connections were set
	TableError     Kind = "table-error"     // the table or mark rules can't be read or changed
	TableRecovered Kind = "table-recovered" // the table or mark rules can be read or changed again
	HookOutput     Kind = "hook-said"       // an operator's command printed something
	HookFailed     Kind = "hook-failed"     // an operator's command failed
	Mailing        Kind = "mailing"         // a mail was queued
	MailFailed     Kind = "mail-failed"     // a mail can't be sent
	MailRecovered  Kind = "mail-recovered"  // mail can be sent again
	MonitorFailed  Kind = "monitor-failed"  // a monitorfile can't be written
	StateFailed    Kind = "state-failed"    // the daemon's state file can't be written
	KeepFailed     Kind = "keep-failed"     // state for the next start can't be saved or read
	MaintenanceOn  Kind = "maintenance-on"  // a server's maintenance begins
	MaintenanceOff Kind = "maintenance-off" // a server's maintenance ends
	Ordered        Kind = "ordered"         // an order was given or undone; for most drains, see drained
	OrderWaits     Kind = "order-waits"     // due orders wait for enough servers, or to be recorded
	OrderLost      Kind = "order-lost"      // an order's server or virtual service left the file
	OrderEnded     Kind = "order-ended"     // an order's time is over
	GuardHolds     Kind = "guard-holds"     // failing servers are held, see keepserving, paceout and checkvip
	GuardChanged   Kind = "guard-changed"   // other servers are held
	GuardOver      Kind = "guard-over"      // no server is held any longer
	GuardObeys     Kind = "guard-obeys"     // the order obey was given, or has ended
	HeldDown       Kind = "held-down"       // holddown or comeback keeps out a server that passes
	Full           Kind = "full"            // a server has reached its upper limit of connections
	AllFull        Kind = "all-full"        // all servers in service are full
	FullOver       Kind = "full-over"       // a server is no longer full, or not all servers are
	Suspected      Kind = "suspected"       // a server's clients get no answers, see observe
	SuspicionOver  Kind = "suspicion-over"  // a server is no longer suspected
	Flaps          Kind = "flaps"           // a server's state changed several times within minutes
	FlapsOver      Kind = "flaps-over"      // a server no longer flaps
	Differs        Kind = "differs"         // a server differs from the others, see samewait
	DiffersOver    Kind = "differs-over"    // a server no longer differs from the others
	BackupServes   Kind = "backup-serves"   // the backup servers begin to serve
	BackupRests    Kind = "backup-rests"    // the backup servers begin to drain
	FallbackFails  Kind = "fallback-fails"  // a fallback server fails fallbackcheck
	FallbackPasses Kind = "fallback-passes" // a fallback server passes again
	Announced      Kind = "announced"       // an address is on the device of announce
	LastResort     Kind = "last-resort"     // an address is on the device of lastresort
	Withdrawn      Kind = "withdrawn"       // an address is on no device
	AnnounceFailed Kind = "announce-failed" // an address is not where it should be
	ClockSet       Kind = "clock-set"       // this machine's clock was set
	LastServer     Kind = "last-server"     // a virtual service's last server is in maintenance
	FolderError    Kind = "folder-error"    // maintenancedir or a file in it can't be read
	FolderReadable Kind = "folder-readable" // maintenancedir can be read again
	Listening      Kind = "listening"       // the daemon serves at the address of listen
	ListFailed     Kind = "list-failed"     // a list of realfile or realnames can't be used
	ListRecovered  Kind = "list-recovered"  // a list of realfile or realnames is used again
	ListenFailed   Kind = "listen-failed"   // the control socket or the address of listen can't be used
	Lost           Kind = "events-lost"     // a slow receiver missed events

	MachineTrouble   Kind = "machine-trouble"   // this machine can't forward as it should, or may soon fail to
	MachineRecovered Kind = "machine-recovered" // this machine's trouble is over

	AnnounceRecovered Kind = "announce-recovered" // addresses are where they should be again

	ConfigConfirmed Kind = "config-confirmed"  // the confirm command came in time
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
