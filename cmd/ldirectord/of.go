package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"ldirectord/internal/printable"
	"ldirectord/internal/status"
)

// Limits of the report of one director.
const (
	directorTimeout = 2 * time.Second
	maxReport       = 16 << 20 // bytes
	maxWhy          = 200      // bytes of another answer that are shown
)

// directorReport is the report of a director, or why there is none.
type directorReport struct {
	Director string `json:"director"` // its host and port
	Error    string `json:"error,omitempty"`
	Hash     string `json:"config_hash,omitempty"`
	Version  string `json:"version,omitempty"`
	Role     string `json:"role,omitempty"`
	report   *status.Report
}

// compareDirectors shows where the directors of --of differ.
func compareDirectors(c *call) error {
	all, err := directorsOf(c.Of)
	if err != nil {
		return exit{exitUsage, err}
	}
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() { all[i].ask(c.ctx) })
	}
	asking.Wait()
	reports := make([]*status.Report, len(all))
	for i := range all {
		reports[i] = all[i].report
	}
	differences := status.Compare(reports)
	if c.JSON {
		differences = append([]status.Difference{}, differences...) // no null
		c.printJSON(map[string]any{"directors": all, "differences": differences})
	} else {
		showDifferences(c, all, differences)
	}
	switch {
	case slices.Contains(reports, nil):
		return exit{status: exitUnreached}
	case len(differences) > 0:
		return exit{status: exitDiffer}
	}
	return nil
}

// directorsOf reads names with ports. A name without one has that of the name before it.
func directorsOf(names []string) ([]directorReport, error) {
	all := make([]directorReport, len(names))
	port := ""
	for i, name := range names {
		host, own, err := net.SplitHostPort(name)
		if err != nil {
			host, own = strings.Trim(name, "[]"), port
		}
		if host == "" || own == "" {
			return nil, fmt.Errorf("--of %s: HOST:PORT is allowed, and HOST after one with a port", name)
		}
		port = own
		all[i].Director = net.JoinHostPort(host, port)
	}
	return all, nil
}

// ask reads the report of a director.
func (d *directorReport) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, directorTimeout)
	defer cancel()
	text, err := fetchReport(ctx, "http://"+d.Director+"/status.json")
	if err == nil {
		d.report, err = status.ReadReport(text)
	}
	if err != nil {
		d.Error = err.Error()
		if ctx.Err() != nil {
			d.Error = fmt.Sprintf("no report in %v", directorTimeout)
		}
		return
	}
	d.Hash, d.Version, d.Role = d.report.Sum, d.report.Version, d.report.Role
}

// fetchReport reads a report from the address that listen names. It asks for localhost: a daemon gives the page to no
// name that it does not know.
func fetchReport(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Host = "localhost"
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request) // no proxy, no redirects
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReport+1))
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return nil, errors.New("it has no report: statuspage = yes gives one")
	case answer.StatusCode != http.StatusOK:
		why := printable.Line(string(text[:min(len(text), maxWhy)]))
		return nil, fmt.Errorf("status %d: %s", answer.StatusCode, why)
	case len(text) > maxReport:
		return nil, fmt.Errorf("its report has more than %d bytes", maxReport)
	}
	return text, err
}

func showDifferences(c *call, all []directorReport, differences []status.Difference) {
	reached := len(all)
	for _, d := range all {
		if d.report == nil {
			reached--
			c.warn("%s can't be compared: %s", d.Director, d.Error)
		}
	}
	if len(differences) == 0 {
		c.tell("directors: %d, differences: none", reached)
		return
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	head := []string{"VIRTUAL", "REAL SERVER", "WHAT"}
	for _, d := range all {
		head = append(head, d.Director)
	}
	addRow(w, head...)
	for _, d := range differences {
		row := []string{cmp.Or(d.Virtual, "-"), cmp.Or(d.Real, "-"), d.What}
		for _, value := range d.Values {
			row = append(row, cmp.Or(value, "?"))
		}
		addRow(w, row...)
	}
	w.Flush()
}
