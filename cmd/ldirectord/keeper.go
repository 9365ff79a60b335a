package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"

	"ldirectord/instance"
)

// somebody keeps a daemon in the foreground that no unit of systemd does.
const somebody instance.Supervisor = "somebody"

// keeper is who keeps this process.
func (a *app) keeper() instance.Supervisor {
	if !a.foreground() {
		return ""
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if unit := unitOf(string(groups)); err == nil && a.manager.socket != "" && unit != "" {
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

// restartKept has the keeper restart its daemon. The unit's ExecStop leaves the table in place then.
func (a *app) restartKept(ctx context.Context, k instance.Supervisor) int {
	if k == somebody {
		fmt.Fprintln(a.stderr, "ldirectord: the daemon runs in the foreground: who started it there must restart it")
		return exitFailure
	}
	ctx, cancel := context.WithTimeout(ctx, 2*endTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemctl", "restart", "--", string(k))
	cmd.Stdout, cmd.Stderr = a.stderr, a.stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: systemctl restart %s: %v\n", k, err)
		return exitFailure
	}
	return exitOK
}
