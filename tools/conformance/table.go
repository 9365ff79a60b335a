package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tableReader asks ipvsadm for the table, sorted, but only when the kernel's own listing looks different or the
// last answer is a second old: a listing has no scheduler flags, and ipvsadm is slow in the lab.
type tableReader struct {
	listing []byte
	lines   []string
	at      time.Time
}

// counters matches each destination in the kernel's listing up to its counters of connections, which change all the
// time.
var counters = regexp.MustCompile(`(?m)^(  -> +\S+ +\S+ +\d+) .*`)

func (t *tableReader) read() ([]string, error) {
	listing, err := os.ReadFile("/proc/net/ip_vs")
	if err != nil {
		return nil, err
	}
	listing = counters.ReplaceAll(listing, []byte("$1"))
	if t.at.IsZero() || time.Since(t.at) > time.Second || !bytes.Equal(listing, t.listing) {
		if t.lines, err = saved(); err != nil {
			return nil, err
		}
		t.listing, t.at = listing, time.Now()
	}
	return t.lines, nil
}

func saved() ([]string, error) {
	lines, err := ipvsadm("-Sn")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(strings.ReplaceAll(line, " --tun-type ipip", ""))
	}
	slices.Sort(lines)
	return lines, err
}

// readWithThresholds adds the thresholds, which ipvsadm does not save.
func readWithThresholds() ([]string, error) {
	lines, err := saved()
	if err != nil {
		return nil, err
	}
	listed, err := ipvsadm("-Ln", "--thresholds")
	if err != nil {
		return nil, err
	}
	service := ""
	for _, line := range listed {
		f := strings.Fields(line)
		switch {
		case len(f) >= 2 && (f[0] == "TCP" || f[0] == "UDP" || f[0] == "FWM"):
			service = map[string]string{"TCP": "-t ", "UDP": "-u ", "FWM": "-f "}[f[0]] + f[1]
		case len(f) >= 4 && f[0] == "->" && service != "" && (f[2] != "0" || f[3] != "0"):
			for i, l := range lines {
				if strings.HasPrefix(l, "-a "+service+" ") && strings.Contains(l, " -r "+f[1]+" ") {
					lines[i] += fmt.Sprintf(" upper %s lower %s", f[2], f[3])
				}
			}
		}
	}
	return lines, nil
}

func ipvsadm(args ...string) ([]string, error) {
	cmd := exec.Command("ipvsadm", args...)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ipvsadm %s: %v: %s", strings.Join(args, " "), err, &diagnostics)
	}
	return splitLines(out.String()), nil
}
