package main

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Without --rundir a daemon's files are in /run, or in /run/ldirectord where systemd made that for it.
func TestTheRunFolder(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/options/rundir.txt", 4) {
		t.Run(row[0], func(t *testing.T) {
			t.Setenv("RUNTIME_DIRECTORY", row[2])
			o := options{RunDir: row[1], IPVS: defaultIPVS, config: "none.cf", path: "/nowhere/none.cf"}
			o.chooseRunDir()
			testkit.Equal(t, o.RunDir, row[3])
		})
	}
}

// Too few words and too many, an unknown option and a wrong value are refused by a message of our own, which names what
// is allowed.
func TestLinesThatAreRefused(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/options/refused.txt", 2) {
		testkit.Fails(t, new(options).parse(strings.Fields(row[0])), row[1], row[0])
	}
}

// What the words of a line are: the file, the command, options.
func TestLinesThatAreTaken(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/options/taken.txt", 2) {
		var o options
		testkit.OK(t, o.parse(strings.Fields(row[0])), row[0])
		got := []string{o.config, o.verb}
		if o.Version {
			got = []string{"version"} // whatever else is there
		}
		for i, given := range []bool{o.Debug, o.JSON, o.Verbose} {
			if given {
				got = append(got, []string{"debug", "json", "verbose"}[i])
			}
		}
		if o.Watch > 0 {
			got = append(got, o.Watch.String())
		}
		got = append(got, o.args...)
		testkit.Equal(t, strings.TrimSpace(strings.Join(got, " ")), row[1], row[0])
	}
}
