// Package notify reports what happened: a journal that hands events to the log and to mail, commands of the operator, and
// monitorfiles.
package notify

import "time"

// Kind names what happened. The names are stable: log watchers may match them.
type Kind string

// What can happen.
const (
	Starting       Kind = "starting"       // the daemon has begun
	Terminated     Kind = "terminated"     // the daemon ends, with the signal's name
	Reloading      Kind = "reloading"      // by a signal
	ConfigChanged  Kind = "config-changed" // the file was changed
	ConfigReread   Kind = "config-reread"  // … and is in force
	ConfigIgnored  Kind = "config-ignored" // … and autoreload is off
	ConfigError    Kind = "config-error"   // … and was refused
	ConfigWarning  Kind = "config-warning" // accepted, but surely a mistake
	NameFound      Kind = "name-found"     // a host name of the file that had no answer has one
	NameMoved      Kind = "name-moved"     // … has another address
	NameLost       Kind = "name-lost"      // … has no answer any more, its last address counts
	AddedVirtual   Kind = "added-virtual"
	ChangedVirtual Kind = "changed-virtual"
	PurgedVirtual  Kind = "purged-virtual"
	Added          Kind = "added"           // a destination was added
	Restored       Kind = "restored"        // its weight is not 0 any more
	Promoted       Kind = "promoted"        // it stood by, and serves now
	StandingBy     Kind = "standing-by"     // it checks, and leaves the table alone
	Drained        Kind = "drained"         // weight 0 by the operator's order
	Quiescent      Kind = "quiescent"       // weight 0 because it is down
	Deleted        Kind = "deleted"         // removed because it is down, or a fallback server because it is not needed
	Purged         Kind = "purged"          // removed because it is not configured
	SoftFailure    Kind = "soft-failure"    // failed, but not often enough to be down
	SoftReset      Kind = "soft-reset"      // passed before it had failed often enough
	CheckFailed    Kind = "check-failed"    // it is down now
	CheckWarning   Kind = "check-warning"   // a check passed in a way that needs a look
	LocalShortage  Kind = "local-shortage"  // this machine lacks descriptors, memory or ports: checks say nothing
	Unjudged       Kind = "unjudged"        // an answer can't be compared with receive in time: it says nothing
	ChangedByHand  Kind = "changed-by-hand" // another program changed our part of the table
	MarkRules      Kind = "mark-rules"      // the rules that set firewall marks were changed
	TableError     Kind = "table-error"     // a change of the table failed and is retried
	TableRecovered Kind = "table-recovered" // … and works again
	HookSaid       Kind = "hook-said"       // a command of the operator wrote something
	HookFailed     Kind = "hook-failed"     // a command of the operator failed
	Mailing        Kind = "mailing"         // a mail is on its way
	MailFailed     Kind = "mail-failed"     // mail can't be sent
	MailRecovered  Kind = "mail-recovered"  // … and works again
	MonitorFailed  Kind = "monitor-failed"  // a monitorfile can't be written
	MaintenanceOn  Kind = "maintenance-on"
	MaintenanceOff Kind = "maintenance-off"
	Ordered        Kind = "ordered"         // an order with more to it than drain was given or undone
	OrderEnded     Kind = "order-ended"     // the time of an order is over
	GuardHolds     Kind = "guard-holds"     // keepserving, or the brake of checkvip, keeps servers in service whose checks fail
	GuardChanged   Kind = "guard-changed"   // … and now other ones
	GuardOver      Kind = "guard-over"      // … and now none
	GuardObeys     Kind = "guard-obeys"     // by order checks may take out every server, or not any more
	Announced      Kind = "announced"       // an address is on the device of announce
	LastResort     Kind = "last-resort"     // … on that of lastresort
	Withdrawn      Kind = "withdrawn"       // … on none
	AnnounceFailed Kind = "announce-failed" // … where it should not be
	LastServer     Kind = "last-server"     // the last server of a virtual service is in maintenance
	FolderError    Kind = "folder-error"    // maintenancedir can't be read
	FolderReadable Kind = "folder-readable" // … and can again
	Listening      Kind = "listening"       // the metrics have an address
	ListenFailed   Kind = "listen-failed"   // the control socket, or the address of the metrics, can't be used
	Lost           Kind = "events-lost"     // a receiver was too slow

	AnnounceRecovered Kind = "announce-recovered"

	PostFailed    Kind = "webhook-failed"    // a state can't be posted
	PostRecovered Kind = "webhook-recovered" // … and can again
)

// Status is what the daemon did when something happened, by the names of emailalertstatus.
type Status string

// The states of a daemon.
const (
	StatusStarting  Status = "starting" // until every server had its first check
	StatusRunning   Status = "running"
	StatusStopping  Status = "stopping"
	StatusReloading Status = "reloading" // until every new check had its first result
)

// Event is one thing that happened. Text is the whole message, in the form that log watchers of ldirectord know; the
// other fields are its parts, empty where they do not apply.
type Event struct {
	Time     time.Time
	Kind     Kind
	Status   Status // of the daemon; set in events of a virtual service
	Virtual  string // its id in the configuration: tcp:192.0.2.1:80, fwm:3
	Real     string // address:port
	Fallback bool   // Real is a fallback server
	Weight   int    // after the change; meaningful for Added and Restored
	Text     string
	Reason   string // for a person: what the check or the kernel said

	// What a mail adds about a real server.
	Name    string        // as commands call it; "" for a fallback server
	Before  string        // its state before; "" when it had none that says something …
	Lasted  time.Duration // … and how long that lasted
	Left    int           // how many servers of the virtual service are in service now …
	Servers int           // … of how many; 0: that is not counted
}
