package core

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// What is confirmed before what. Each row is a few events, and what the core asks for then, in that order.
func TestTheProtocol(t *testing.T) {
	const first, second = "10.2.0.1:80", "10.2.0.2:80"
	play(t, []row{
		{"records of who leaves are written before the table changes", "draintime = 60\n" + web(1),
			func(w *world) {
				w.reload("draintime = 60\n" +
					strings.Replace(web(1), real(2), "", 1))
			}, "claim checks log read", `
leavers 1
-e -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 0
answered`},
		{"so are those of weights that move", "slowstart = 10\n" + web(1),
			func(w *world) {
				w.results(false, second)
				w.pass(time.Second)
				w.saw()
				w.results(true, second)
			}, "log", `
moving 1
-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 1
answered`},
		{"before a weight moves the table is read: a change by hand is not undone", "slowstart = 10\n" + web(1),
			func(w *world) {
				w.results(false, second)
				w.pass(time.Second)
				w.results(true, second)
				w.saw()
				w.pass(3 * time.Second)
			}, "log moving rules", `
read
-e -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 2
answered`},
		{"a virtual service is claimed before it is added, and given up after it was removed", web(1),
			func(w *world) { w.reload(web(2)) }, "log -a answered", `
claim 1, left 1
claim 1, left 1
-D -t 10.1.0.1:80
claim 1, left 0
read
-A -t 10.1.0.2:80 -s wrr`},
		{"one that another daemon has is not added", web(1),
			func(w *world) {
				w.taken = map[lvs.Key]string{keyOf(w, web(2)): "b.cf"}
				w.reload(web(2))
			}, "log claim answered", `
-D -t 10.1.0.1:80`},
		{"one that the other daemon gives up just when this one reloads is taken over", web(1),
			func(w *world) {
				w.taken = map[lvs.Key]string{keyOf(w, web(1)): "b.cf"}
				w.Claimed(w.now)
				w.taken = nil
				w.saw()
				w.reload(web(1) + web(2))
			}, "claim answered checks", `
log taken-over
read
-A -t 10.1.0.2:80 -s wrr
log added-virtual
-a -t 10.1.0.2:80 -r 10.2.0.1:80 -g -w 4
-a -t 10.1.0.2:80 -r 10.2.0.2:80 -g -w 4
log added
log added`},
		{"connections are counted before a server changes to gate", strings.ReplaceAll(web(1), "gate", "masq"),
			func(w *world) { w.reload(web(1)) }, "log claim", `
read
counters
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 4
-e -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 4
answered`},
		{"what fails in one round is skipped in the next", "",
			func(w *world) {
				w.refuse("-A -t 10.1.0.1:80")
				w.reload(web(1) + web(2))
				w.results(true, "")
			}, "claim checks log", `
read
-A -t 10.1.0.1:80 -s wrr
-A -t 10.1.0.2:80 -s wrr
answered
-a -t 10.1.0.2:80 -r 10.2.0.1:80 -g -w 4
-a -t 10.1.0.2:80 -r 10.2.0.2:80 -g -w 4
answered
read
-A -t 10.1.0.1:80 -s wrr
answered`},
		{"but a server that is not up goes out", "quiescent = yes\n" + web(1),
			func(w *world) {
				w.results(false, second)
				w.saw()
				w.refuse("-e -t 10.1.0.1:80 -r 10.2.0.2:80")
				w.results(true, second)
				w.results(false, first)
			}, "log moving read", `
-e -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 4
answered
-e -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 4
answered
-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0
answered`},
		{"an entry that is missing: the table is read, and the change decided again, in the same step", web(1),
			func(w *world) {
				w.memory.Do(0, lvs.Op{Kind: lvs.DelService, Key: keyOf(w, web(1))})
				w.results(false, second)
			}, "log moving", `
-d -t 10.1.0.1:80 -r 10.2.0.2:80
answered
read
-A -t 10.1.0.1:80 -s wrr
answered
-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 4
answered`},
		{"an address is announced after its virtual service is placed and its packets are marked", "",
			func(w *world) {
				w.slow = true
				w.reload("announce = lvs0\n" + marked)
				w.results(true, "")
				w.note("rules are set")
				w.perform()
			}, "log claim answered checks", `
read
-A -f 7 -s wrr
-a -f 7 -r 10.2.0.1:0 -g -w 4
-a -f 7 -r 10.2.0.2:0 -g -w 4
rules are set
rules 1
place 10.1.0.1 on
place 10.1.0.1 on lvs0`},
		{"it is not announced while the table refuses its virtual service", "",
			func(w *world) {
				w.refuse("-A -t 10.1.0.1:80")
				w.reload("announce = lvs0\n" + web(1))
				w.results(true, "")
				w.note("it is added")
				w.answers = nil
				w.pass(time.Second)
			}, "log claim answered checks read rules", `
-A -t 10.1.0.1:80 -s wrr
place 10.1.0.1 on
-A -t 10.1.0.1:80 -s wrr
place 10.1.0.1 on
it is added
-A -t 10.1.0.1:80 -s wrr
-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 4
-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 4
place 10.1.0.1 on lvs0`},
		{"a server that leaves is removed when two looks find no connection", "draintime = 60\n" + web(1),
			func(w *world) {
				w.reload("draintime = 60\n" + strings.Replace(web(1), real(2), "", 1))
				w.saw()
				w.pass(2 * time.Second)
			}, "log rules", `
counters
counters
-d -t 10.1.0.1:80 -r 10.2.0.2:80
answered`},
		{"checks through an address begin with its local route", "",
			func(w *world) {
				w.reload("announce = lvs0\n" + web(1) +
					"\tcheckvip = yes\n")
			}, "log claim answered read -A", `
place 10.1.0.1 on
checks 2`},
		{"or 5 s later", "",
			func(w *world) {
				w.slow = true
				w.reload("announce = lvs0\n" + web(1) + "\tcheckvip = yes\n")
				w.pass(5*time.Second - 1)
				w.note("5 s")
				w.pass(1)
			}, "log claim answered read -A rules", `
5 s
checks 2`},
		{"a virtual service goes when its address is off for withdrawwait",
			"announce = lvs0\nwithdrawwait = 2\n" + web(1) + web(2),
			func(w *world) {
				w.reload("announce = lvs0\nwithdrawwait = 2\n" + web(1))
				w.pass(2*time.Second - 1)
				w.note("2 s")
				w.pass(1)
			}, "log claim checks answered read rules", `
place 10.1.0.1 on lvs0, 10.1.0.2 on
2 s
-D -t 10.1.0.2:80
place 10.1.0.1 on lvs0`},
		{"and when the rules for its new mark are set",
			strings.ReplaceAll(marked, "virtual = 7", "virtual = 8"),
			func(w *world) {
				w.slow = true
				w.reload(marked)
				w.note("rules are set")
				w.perform()
			}, "log claim -a answered read", `
-A -f 7 -s wrr
rules are set
rules 1
-D -f 8`},
		{"hooks get that it is available after the table is written and its packets are marked", "",
			func(w *world) {
				w.slow = true
				w.reload("onchange = tell\n" + marked)
				w.results(true, "")
				w.note("rules are set")
				w.perform()
			}, "log claim read answered checks", `
-A -f 7 -s wrr
-a -f 7 -r 10.2.0.1:0 -g -w 4
-a -f 7 -r 10.2.0.2:0 -g -w 4
rules are set
rules 1
run -c tell fwm:7 available 2 2`},
		{"a demotion empties the table when addresses are off and hooks have ended",
			"announce = lvs0\nwithdrawwait = 1\nonchange = tell\n" + web(1),
			func(w *world) {
				w.SetStandby(w.now, true)
				w.step()
				w.pass(time.Second)
				w.note("they have ended; answered %t", w.e.Idle)
				w.HooksEnded(w.now)
				w.step()
				w.pass(time.Second)
				w.note("answered %t", w.e.Idle)
			}, "log claim read rules", `
run -c tell tcp:10.1.0.1:80 unavailable 2 2
place 10.1.0.1 on
they have ended; answered false
-D -t 10.1.0.1:80
answered
place 
answered true`},
		{"or 3 s later", "onchange = tell\n" + web(1),
			func(w *world) {
				w.SetStandby(w.now, true)
				w.step()
				w.pass(3*time.Second - 1)
				w.note("3 s; answered %t", w.e.Idle)
				w.pass(1)
				w.note("answered %t", w.e.Idle)
			}, "log claim read rules", `
run -c tell tcp:10.1.0.1:80 unavailable 2 2
3 s; answered false
-D -t 10.1.0.1:80
answered
answered true`},
		{"a removal that the table refused is tried again at a demotion, not later", web(1) + web(2),
			func(w *world) {
				w.refuse("-D -t 10.1.0.2:80")
				w.reload(web(1))
				w.answers = nil
				w.note("it answers again")
				w.SetStandby(w.now, true)
				w.step()
			}, "log claim checks read answered", `
-D -t 10.1.0.2:80
it answers again
-D -t 10.1.0.1:80
-D -t 10.1.0.2:80`},
		{"who asked is answered when the table is sent and the rules are set", "",
			func(w *world) {
				w.slow = true
				w.reload(marked)
				w.note("answered %t", w.e.Idle)
				w.perform()
				w.note("answered %t", w.e.Idle)
			}, "log claim checks", `
read
-A -f 7 -s wrr
answered
answered false
rules 1
answered true`},
		{"a request without an answer: nothing is sent for as long, then the table is read", web(1),
			func(w *world) {
				w.answers = func(string) (judge.Outcome, time.Duration) {
					return judge.Outcome{Answer: judge.Unanswered, Err: errors.New("no answer")},
						judge.TableTimeout
				}
				w.results(false, second)
				w.pass(judge.MaxPause - 1)
				w.answers = nil
				w.note("it answers again")
				w.pass(1)
			}, "moving rules", `
log check-failed
-d -t 10.1.0.1:80 -r 10.2.0.2:80
answered
log table-error
it answers again
read
-d -t 10.1.0.1:80 -r 10.2.0.2:80
answered
log deleted
log table-recovered`},
		{"its change was made: it is not taken for one by hand", web(1),
			func(w *world) {
				w.answers = func(what string) (judge.Outcome, time.Duration) {
					for _, op := range w.asked {
						w.memory.Do(0, op)
					}
					return judge.Outcome{Answer: judge.Unanswered, Err: errors.New("no answer")},
						judge.TableTimeout
				}
				w.results(false, second)
				w.answers = nil
				w.pass(judge.MaxPause)
			}, "moving rules", `
log check-failed
-d -t 10.1.0.1:80 -r 10.2.0.2:80
answered
log table-error
read
log table-recovered`},
		{"nor if the table refused other settings before it", web(1),
			func(w *world) {
				other := strings.Replace(web(1), "\tchecktype", "\tscheduler = rr\n\tchecktype", 1)
				w.refuse("-E")
				w.reload(other)
				w.answers = func(what string) (judge.Outcome, time.Duration) {
					if strings.HasPrefix(what, "-E") {
						return judge.Outcome{Answer: judge.Refused, Err: errors.New("refused")},
							0
					}
					if what != "read" {
						w.memory.Do(0, w.asked...)
					}
					return judge.Outcome{Answer: judge.Unanswered, Err: errors.New("no answer")},
						judge.TableTimeout
				}
				w.results(false, second)
				w.saw()
				w.answers = nil
				w.pass(judge.MaxPause)
			}, "moving rules", `
read
-E -t 10.1.0.1:80 -s rr
answered
log changed-virtual
log table-recovered`},
		{"the daemon ends: nothing more is sent, and nothing told", web(1) + web(2),
			func(w *world) {
				w.answers = func(string) (judge.Outcome, time.Duration) {
					return judge.Outcome{Answer: judge.Interrupted, Err: errors.New("stopped")}, 0
				}
				w.results(false, second)
				w.results(false, first)
			}, "log moving rules", `
-d -t 10.1.0.1:80 -r 10.2.0.2:80
-d -t 10.1.0.2:80 -r 10.2.0.2:80
answered`},
	})
}
