package instance

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/runfile"
)

// Role is the role of a configuration's director according to the last order.
type Role string

const (
	NoRole  Role = "" // start and stop decide whether it runs
	Started Role = "started"
	Stopped Role = "stopped"
	Active  Role = "active"  // it keeps running, and serves
	Standby Role = "standby" // it keeps running, and is on standby
)

// StaysUp reports whether the daemon keeps running when it does not serve.
func (r Role) StaysUp() bool { return r == Active || r == Standby }

// RoleChange is a change of the role that a command orders.
type RoleChange string

const (
	ToServe  RoleChange = "serve"
	ToLeave  RoleChange = "leave"
	ToStayUp RoleChange = "stay" // it now keeps running when it does not serve; it serves, unless on standby
)

// IsKnown reports whether c is one of the constants.
func (c RoleChange) IsKnown() bool { return c == ToServe || c == ToLeave || c == ToStayUp }

// After returns the role after a change. After ToLeave, a daemon that keeps running is on standby, and any other daemon
// stops.
func (c RoleChange) After(last Role) Role {
	serve, stay := c == ToServe, last.StaysUp()
	switch {
	case c == ToStayUp && stay:
		return last
	case c == ToStayUp, stay && serve:
		return Active
	case stay:
		return Standby
	case serve:
		return Started
	default:
		return Stopped
	}
}

// RoleOrder is a role, and the time since boot (SinceBoot) at which the command that ordered it began. The order that
// was given last counts, even if it arrives before an older one.
type RoleOrder struct {
	Role  Role
	Given time.Duration
}

// RoleFile is the path of the file with the last order. The first line of the file is the role, and the second line has
// the format and the time at which the order was given. The file survives the daemon, but not a reboot.
type RoleFile string

// Read returns the last order, or the zero value if there is no file.
func (f RoleFile) Read() (RoleOrder, error) {
	text, err := runfile.Read(string(f))
	if err != nil {
		return RoleOrder{}, fmt.Errorf("reading the role: %w", err)
	}
	word, rest, _ := strings.Cut(string(text), "\n")
	switch r := Role(word); r {
	case NoRole, Started, Stopped, Active, Standby:
		return RoleOrder{r, givenIn(rest)}, nil
	}
	return RoleOrder{}, fmt.Errorf("reading the role: %s holds %q, which is not a role", f,
		word[:min(len(word), 64)])
}

// givenIn reads the time from the second line of the file. It returns 0 if there is no such line, or if the time is in
// the future, because then it was recorded before a reboot.
func givenIn(line string) time.Duration {
	ns, err := strconv.ParseInt(strings.TrimSpace(strings.TrimPrefix(line, runfile.Format)), 10, 64)
	if given := time.Duration(ns); err == nil && given <= runfile.SinceBoot() {
		return given
	}
	return 0
}

// Write records an order as the last one.
func (f RoleFile) Write(last RoleOrder) error {
	text := fmt.Sprintf("%s\n%s %d\n", last.Role, runfile.Format, last.Given)
	return runfile.While("recording the role", runfile.Write(string(f), []byte(text), 0o600))
}

// Clear removes the last order.
func (f RoleFile) Clear() error {
	return runfile.While("clearing the role", runfile.Remove(string(f)))
}
