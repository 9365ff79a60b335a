// Package notify tells others what happened: one journal of events, and those who read it (log, mail,
// hooks).
package notify

import "time"

// Kind names what happened. The names are stable: operators and log watchers may match on them.
type Kind string

// What can happen.
const (
	Starting       Kind = "starting"        // the daemon has begun
	Terminated     Kind = "terminated"      // the daemon ends, with the signal's name
	Reloading      Kind = "reloading"       // asked to by signal
	ConfigChanged  Kind = "config-changed"  // the file is another one
	ConfigReread   Kind = "config-reread"   // … and was taken over
	ConfigIgnored  Kind = "config-ignored"  // … and autoreload is off
	ConfigError    Kind = "config-error"    // … and was refused
	ConfigWarning  Kind = "config-warning"  // accepted, but surely a mistake
	NameFound      Kind = "name-found"      // a host name of the file that had no answer has one
	AddedVirtual   Kind = "added-virtual"   //
	ChangedVirtual Kind = "changed-virtual" //
	PurgedVirtual  Kind = "purged-virtual"  //
	Added          Kind = "added"           // a destination came in
	Restored       Kind = "restored"        // its weight came back
	Promoted       Kind = "promoted"        // from standing by to serving
	StandingBy     Kind = "standing-by"     // checks go on, the table is left alone
	Drained        Kind = "drained"         // weight 0 by the operator's order
	Quiescent      Kind = "quiescent"       // weight 0 because it is down
	Deleted        Kind = "deleted"         // out because it is down (or the fallback is not needed)
	Purged         Kind = "purged"          // out because it is not configured
	SoftFailure    Kind = "soft-failure"    // failed, but not often enough
	SoftReset      Kind = "soft-reset"      // a success before it was often enough
	CheckFailed    Kind = "check-failed"    // went down: the reason
	CheckWarning   Kind = "check-warning"   // a check passed in a way that needs a look
	LocalShortage  Kind = "local-shortage"  // we lack descriptors, memory or ports: checks say nothing
	Unjudged       Kind = "unjudged"        // an answer can't be compared with receive: it says nothing
	ChangedByHand  Kind = "changed-by-hand" // somebody else changed our part of the table
	MarkRules      Kind = "mark-rules"      // the rules that set firewall marks are other ones now
	TableError     Kind = "table-error"     // a change of the table failed and is retried
	TableRecovered Kind = "table-recovered" // … and works again
	HookSaid       Kind = "hook-said"       // … wrote something
	HookFailed     Kind = "hook-failed"     // a command of the operator failed
	Mailing        Kind = "mailing"         // a mail is on its way
	MailFailed     Kind = "mail-failed"     // mail can't be sent
	MailRecovered  Kind = "mail-recovered"  // … and works again
	MonitorFailed  Kind = "monitor-failed"  // a monitorfile can't be written
	MaintenanceOn  Kind = "maintenance-on"  //
	MaintenanceOff Kind = "maintenance-off" //
	LastServer     Kind = "last-server"     // maintenance takes the last server of a virtual service
	FolderError    Kind = "folder-error"    // maintenancedir can't be read
	FolderReadable Kind = "folder-readable" // … and can again
	Listening      Kind = "listening"       // the metrics have an address
	ListenFailed   Kind = "listen-failed"   // the control socket, or the address of the metrics, can't be had
	Lost           Kind = "events-lost"     // a notifier was too slow
)

// Status is what the daemon was doing when something happened, as emailalertstatus names it.
type Status string

// The states of a daemon.
const (
	StatusStarting  Status = "starting" // until every server had its first check
	StatusRunning   Status = "running"
	StatusStopping  Status = "stopping"
	StatusReloading Status = "reloading" // until every new check had its first result
)

// Event is one thing that happened. Text is the whole message in the form log watchers of ldirectord
// know; the other fields are the same in parts, empty where they do not apply.
type Event struct {
	Time     time.Time
	Kind     Kind
	Status   Status // of the daemon; set for what concerns a virtual service
	Virtual  string // as the configuration's id: tcp:192.0.2.1:80, fwm:3
	Real     string // address:port
	Fallback bool   // Real is a sorry server
	Weight   int    // after the change; meaningful for Added and Restored
	Text     string
	Reason   string // why, for a person: what the check said, what the kernel answered
}
