package lvs

// Status is what the daemon did when something happened, by the names of emailalertstatus.
type Status string

// The states of a daemon.
const (
	StatusStarting  Status = "starting" // until every server had its first check
	StatusRunning   Status = "running"
	StatusStopping  Status = "stopping"
	StatusReloading Status = "reloading" // until every new check had its first result
)

// Statuses are all of them, in the order in which they come.
var Statuses = []Status{StatusStarting, StatusRunning, StatusStopping, StatusReloading}
