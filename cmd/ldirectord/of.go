package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/status"
)

// Limits for reading the report of one director.
const (
	directorTimeout = 2 * time.Second
	maxReport       = 16 << 20 // bytes
)

// compareDirectors shows how the directors of --of differ.
func compareDirectors(c *call) error {
	names, err := withPorts(c.Of)
	if err != nil {
		return exit{exitUsage, err}
	}
	reports, errs := make([]*status.Report, len(names)), make([]error, len(names))
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() { reports[i], errs[i] = reportOf(c.ctx, name) })
	}
	asking.Wait()
	reached, failed := len(names), map[string]string{}
	for i, err := range errs {
		if err != nil {
			reached--
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("no report in %v", directorTimeout)
			}
			failed[names[i]] = err.Error()
			c.warn("%s can't be compared: %v", names[i], err)
		}
	}
	differences := append([]status.Difference{}, status.Compare(reports)...) // no null in JSON
	stale := notInForce(names, reports)
	switch {
	case c.JSON:
		c.printJSON(map[string]any{"directors": names, "errors": failed, "differences": differences,
			"not_in_force": stale})
	case len(differences) > 0:
		showDifferences(c, names, differences)
	case reached < 2:
		c.tell("nothing to compare: directors that sent a report: %d", reached)
	default:
		c.tell("no difference between %d directors", reached)
	}
	for _, name := range names {
		if why := stale[name]; !c.JSON && why != "" {
			c.tell("%s: %s", name, why)
		}
	}
	switch {
	case reached < len(names):
		return exit{status: exitUnreached}
	case len(differences) > 0:
		return exit{status: exitDiffer}
	}
	return nil
}

// notInForce names the files and lists that are not in force, by director.
func notInForce(names []string, reports []*status.Report) map[string]string {
	all := map[string]string{}
	for i, r := range reports {
		if r == nil || r.Reloads.InForce() {
			continue
		}
		file, lists := r.NotInForce()
		all[names[i]] = strings.TrimPrefix(strings.Join(append([]string{file}, lists...), "; "), "; ")
	}
	return all
}

// withPorts adds the missing ports: a name without a port gets the port of the name before it.
func withPorts(names []string) ([]string, error) {
	names = slices.Clone(names)
	last := ""
	for i, name := range names {
		host, port, err := net.SplitHostPort(name)
		if err != nil {
			host, port, err = net.SplitHostPort(name + ":" + last)
		}
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("--of %s: use HOST:PORT, or HOST after a HOST:PORT", name)
		}
		names[i], last = net.JoinHostPort(host, port), port
	}
	return names, nil
}

// reportOf reads a director's report from the address that its directive listen names. It requests the host localhost,
// because a daemon refuses host names that it does not know. It follows no redirect, and uses no proxy.
func reportOf(ctx context.Context, director string) (*status.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, directorTimeout)
	defer cancel()
	report := url.URL{Scheme: "http", Host: director, Path: "/status.json"} // escapes the zone of an address
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, report.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Host = "localhost"
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if failed, is := errors.AsType[*net.OpError](err); is {
		err = failed.Err // without the address: the caller names it
	}
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d instead of its report, which needs statuspage = yes",
			answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("reading its report: %w", err)
	}
	if len(text) > maxReport {
		return nil, fmt.Errorf("its report has more than %d bytes", maxReport)
	}
	return status.ReadReport(text)
}

func showDifferences(c *call, names []string, differences []status.Difference) {
	t := c.newTable(slices.Concat([]string{"VIRTUAL", "REAL SERVER", "WHAT"}, names)...)
	marks := false
	for _, d := range differences {
		row := []string{cmp.Or(d.Virtual, "-"), cmp.Or(d.Real, "-"), d.What}
		for i, value := range d.Values {
			if value = cmp.Or(value, "?"); d.Odd != nil && d.Odd[i] {
				value, marks = value+" *", true
			}
			row = append(row, value)
		}
		t.row(row...)
	}
	t.Flush()
	if marks {
		c.tell("*: differs from most of the directors")
	} else {
		c.tell("no value is shared by most of the directors")
	}
}
