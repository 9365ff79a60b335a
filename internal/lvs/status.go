package lvs

// Status is the state of the daemon at an event, named as in emailalertstatus.
type Status string

// The states of a daemon.
const (
	StatusStarting  Status = "starting" // until every server has had its first check
	StatusRunning   Status = "running"
	StatusStopping  Status = "stopping"
	StatusReloading Status = "reloading" // until every new check has had its first result
	// of an event about a virtual service that this daemon leaves alone, on standby or for another daemon: no mail
	StatusAside Status = "aside"
)

// Statuses lists the states that emailalertstatus may name, in their usual order.
var Statuses = []Status{StatusStarting, StatusRunning, StatusStopping, StatusReloading}
