package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"strings"

	"ldirectord/daemon"
	"ldirectord/instance"
	"ldirectord/run"
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

// unitOf finds the service in the lines of /proc/PID/cgroup, see cgroups(7); "" when there is none.
func unitOf(groups string) instance.Supervisor {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || fields[1] != "" && fields[1] != "name=systemd" {
			continue
		}
		if name := path.Base(fields[2]); strings.HasSuffix(name, ".service") {
			return instance.Supervisor(name)
		}
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
	return run.While("systemctl restart "+string(by), cmd.Run())
}
