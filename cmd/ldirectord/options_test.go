package main

import (
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// -v prints the version, as in the Perl ldirectord, except after status.
func TestTwoMeaningsOfV(t *testing.T) {
	for line, want := range map[string]options{
		"-v":                    {Version: true},
		"-v a.cf status":        {Version: true},
		"status -v":             {verb: "status", Verbose: true},
		"a.cf status -v":        {config: "a.cf", verb: "status", Verbose: true},
		"a.cf status --json -v": {config: "a.cf", verb: "status", Verbose: true, JSON: true},
		"a.cf status --verbose": {config: "a.cf", verb: "status", Verbose: true},
		"a.cf stop -v":          {config: "a.cf", verb: "stop"},
		"a.cf stop whatever":    {config: "a.cf", verb: "stop"},
	} {
		var got options
		if err := got.parse(strings.Fields(line)); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got.Version != want.Version || !want.Version &&
			(got.config != want.config || got.verb != want.verb || got.Verbose != want.Verbose ||
				got.JSON != want.JSON) {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

// Without --rundir a daemon's files are in /run, or in /run/ldirectord where systemd made that for it.
func TestTheRunFolder(t *testing.T) {
	for name, c := range map[string]struct{ given, made, want string }{
		"by default":                 {"", "", "/run"},
		"of the drop-in user.conf":   {"", "/run/ldirectord", "/run/ldirectord"},
		"of a unit that runs us":     {"", "/run/keepalived", "/run"},
		"of a unit that has several": {"", "/run/ldirectord:/run/other", "/run"},
		"given":                      {"/tmp/x", "/run/ldirectord", "/tmp/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("RUNTIME_DIRECTORY", c.made)
			o := options{RunDir: c.given, IPVS: defaultIPVS, config: "none.cf", path: "/nowhere/none.cf"}
			if o.chooseRunDir(); o.RunDir != c.want {
				t.Errorf("%s, want %s", o.RunDir, c.want)
			}
		})
	}
}

func TestACutCommandIsCompleted(t *testing.T) {
	for word, want := range map[string]string{"stat": "status", "strat": "start", "conn": "connections",
		"sta": "start"} {
		if want != "" {
			want = " (did you mean " + want + "?)"
		}
		testkit.Equal(t, unknownCommand(word).Error(), `unknown command "`+word+`"`+want)
	}
}

// A bare number after --watch is one of seconds.
func TestWatchInSeconds(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"ld.cf status --watch":      2 * time.Second,
		"ld.cf status --watch -v":   2 * time.Second,
		"ld.cf status --watch=1":    time.Second,
		"ld.cf status --watch 1 -v": time.Second,
		"status --watch 90":         90 * time.Second,
		"status -v --watch=5m":      5 * time.Minute,
		"--watch=7 ld.cf status":    7 * time.Second,
		"--watch 7 ld.cf status":    7 * time.Second,
	} {
		var o options
		if err := o.parse(strings.Fields(line)); err != nil || o.Watch != want || o.verb != "status" {
			t.Errorf("%s: %v, %v, want %v", line, o.Watch, err, want)
		}
	}
}

// Too few words and too many, an unknown option and a wrong value are refused by a message of our own, which names what
// is allowed.
func TestLinesThatAreRefused(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/options/refused.txt", 2) {
		testkit.Fails(t, new(options).parse(strings.Fields(row[0])), row[1], row[0])
	}
}

// The Perl ldirectord takes its long options in capitals, and their short names as long ones.
func TestOptionsAsThePerlTakesThem(t *testing.T) {
	for _, word := range []string{"--DEBUG", "--Debug", "--d", "-dd"} {
		var o options
		if err := o.parse([]string{word, "a.cf", "status"}); err != nil || !o.Debug {
			t.Errorf("%s: %v, debug %t", word, err, o.Debug)
		}
	}
	for _, word := range []string{"--Version", "--v"} {
		var o options
		if err := o.parse([]string{word}); err != nil || !o.Version {
			t.Errorf("%s: %v, version %t", word, err, o.Version)
		}
	}
	if err := new(options).parse([]string{"-D", "a.cf", "status"}); err == nil {
		t.Error("-D is taken")
	}
}
