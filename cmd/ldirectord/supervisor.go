package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/runfile"
)

// a program other than a systemd unit runs the daemon in the foreground.
const somebody instance.Supervisor = "somebody"

// supervisor is the program that runs this process in the foreground.
func supervisor(c *call) instance.Supervisor {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if unit := unitOf(string(groups)); err == nil && c.manager.Listens() && unit != "" {
		return unit
	}
	return somebody
}

// ofService is the line of a service in /proc/PID/cgroup, see cgroups(7).
var ofService = regexp.MustCompile(`(?m)^[^:]*:(?:name=systemd)?:.*/([^/]*\.service)$`)

// unitOf finds the service in the lines of /proc/PID/cgroup; "" when there is none.
func unitOf(groups string) instance.Supervisor {
	if found := ofService.FindStringSubmatch(groups); found != nil {
		return instance.Supervisor(found[1])
	}
	return ""
}

// restartSupervised has the supervisor restart its daemon. The unit's ExecStop then leaves the table in place.
func restartSupervised(c *call, by instance.Supervisor) error {
	if by == somebody {
		return errors.New("the daemon runs in the foreground: restart it where it was started")
	}
	ctx, cancel := context.WithTimeout(c.ctx, 2*daemon.EndTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemctl", "restart", "--", string(by))
	cmd.Stdout, cmd.Stderr = c.stderr, c.stderr
	return runfile.While("systemctl restart "+string(by), cmd.Run())
}
