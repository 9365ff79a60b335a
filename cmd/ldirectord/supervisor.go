package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/runfile"
)

// somebody is a supervisor that is not a systemd unit.
const somebody instance.Supervisor = "somebody"

// supervisor returns the systemd unit that runs this process in the foreground, or else somebody.
func supervisor(c *call) instance.Supervisor {
	if unit := unitOf(os.Getpid()); c.manager.Listens() && unit != "" {
		return unit
	}
	return somebody
}

// ofService matches a line of /proc/PID/cgroup that names a service, see cgroups(7).
var ofService = regexp.MustCompile(`(?m)^[^:]*:(?:name=systemd)?:.*/([^/]*\.service)$`)

// unitOf returns the systemd service to which a process belongs, or "".
func unitOf(pid int) instance.Supervisor {
	groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)) // none if it can't be read
	return serviceIn(string(groups))
}

func serviceIn(groups string) instance.Supervisor {
	if found := ofService.FindStringSubmatch(groups); found != nil {
		return instance.Supervisor(found[1])
	}
	return ""
}

// restartSupervised makes the supervisor restart its daemon. During a restart, the unit's ExecStop leaves the table in
// place. The unit's name must match the one that the kernel reports, because another user may have written the record.
func restartSupervised(c *call, by instance.Supervisor, pid int) error {
	if by != unitOf(pid) {
		return errors.New("the daemon runs in the foreground: restart it where it was started")
	}
	ctx, cancel := context.WithTimeout(c.ctx, 2*daemon.EndTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemctl", "restart", "--", string(by))
	cmd.Stdout, cmd.Stderr = c.stderr, c.stderr
	return runfile.While("systemctl restart "+string(by), cmd.Run())
}
