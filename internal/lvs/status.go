package lvs

// Status is the state of the daemon at an event, named as in emailalertstatus.
type Status string

// The states of a daemon.
const (
	StatusStarting  Status = "starting" // until every server has had its first check
	StatusRunning   Status = "running"
	StatusStopping  Status = "stopping"
	StatusReloading Status = "reloading" // until every new check has had its first result
)

// Statuses lists all states, in their usual order.
var Statuses = []Status{StatusStarting, StatusRunning, StatusStopping, StatusReloading}
