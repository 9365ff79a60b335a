package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const pauses = scratch + "/pauses"

// notePauses makes the Perl ldirectord write a line each time it pauses after a round of checks. Waiting for rounds
// makes a record independent of the machine's speed.
func (p *play) notePauses() error {
	module := fmt.Sprintf(`package Pauses;
BEGIN {
	*CORE::GLOBAL::sleep = sub {
		if ($0 =~ /ldirectord/ && open(my $f, ">>", "%s")) { print $f "$$\n"; close $f; }
		CORE::sleep($_[0]);
	};
}
1;
`, pauses)
	dir := scratch + "/perl"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	p.env = append(p.env, "PERL5OPT=-MPauses", "PERL5LIB="+dir)
	return os.WriteFile(dir+"/Pauses.pm", []byte(module), 0o644)
}

// settle waits until what is seen has stopped changing.
func (p *play) settle(o observation) ([]string, error) {
	if err := p.awaitRounds(o.rounds); err != nil {
		return nil, err
	}
	quiet := max(o.hold, 1500*time.Millisecond)
	if o.limit == 0 { // a result that is final
		return o.look()
	}
	end := time.Now().Add(p.Binary.patience(o.limit))
	var got []string
	for since := time.Now(); time.Since(since) < quiet; time.Sleep(200 * time.Millisecond) {
		now, err := o.look()
		if err != nil {
			return nil, err
		}
		if !slices.Equal(now, got) {
			got, since = now, time.Now()
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("never stops to change")
		}
	}
	return got, nil
}

// awaitRounds waits until each daemon has made that number of rounds of checks.
func (p *play) awaitRounds(rounds int) error {
	before := roundsMade()
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		made := roundsMade()
		late := func(pid string) bool { return made[pid]-before[pid] < rounds }
		if !slices.ContainsFunc(daemons(), late) {
			return nil
		}
	}
	return fmt.Errorf("the daemon makes no rounds of checks")
}

func roundsMade() map[string]int {
	made := map[string]int{}
	for _, pid := range readLines(pauses, 0) {
		made[pid]++
	}
	return made
}

var isDaemon = regexp.MustCompile(`perl.*ldirectord|^ldirectord`)

func daemons() (pids []string) {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	for _, file := range commands {
		command, err := os.ReadFile(file)
		if err == nil && isDaemon.Match(command) {
			pids = append(pids, strings.Split(file, "/")[2])
		}
	}
	return pids
}
