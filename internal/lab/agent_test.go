package lab

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"ldirectord/internal/testkit"
)

// agent answers each connection with the same word, or with an empty answer.
type agent struct{ word atomic.Value }

func (w *weightsLab) agent(ns, port string) *agent {
	w.t.Helper()
	a := &agent{}
	a.word.Store("up ready 100%")
	testkit.Serve(w.t, w.listen(ns, ":"+port), func(c net.Conn) {
		if word := a.word.Load().(string); word != "" {
			fmt.Fprintln(c, word)
			return
		}
		select {
		case <-w.t.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	return a
}

// tells: the agent of rs1 says 10 %, drain, nothing for a time, ready, and 100 %. The other servers have no agent.
func (w *weightsLab) tells(silence time.Duration) {
	w.t.Helper()
	a := w.agent("rs1", "9707")
	w.serve(40, "        scheduler = wrr\n        agentport = 9707\n")
	var open []net.Conn
	for range 9 {
		open = append(open, w.lasting())
	}
	var slowest time.Duration
	says := func(word string, weight int) {
		w.t.Helper()
		a.word.Store(word)
		took := w.until(bound, fmt.Sprintf("%s -m -w %d\n", entry("rs1"), weight))
		slowest = max(slowest, took)
	}
	says("10%", 4)
	if got := w.newConnections(21)["rs1"]; got < 1 || got > 2 { // of a cycle of 4, 40 and 40 connections
		w.t.Errorf("at 10 %% the server gets %d of 21 new connections, want 1 or 2", got)
	}
	says("drain", 0)
	if got := w.newConnections(20)["rs1"]; got > 0 {
		w.t.Errorf("the server reports drain and gets %d of 20 new connections", got)
	}
	back := 4 // of 10 %, which the agent said last
	if silence > 0 {
		a.word.Store("")
		mayWait := func(waited time.Duration) bool {
			forgets := strings.Contains(w.logText(), "percentage no longer applies: 192.0.2.21:")
			return waited < silence || !forgets && waited < silence+bound
		}
		for began := time.Now(); mayWait(time.Since(began)); time.Sleep(100 * time.Millisecond) {
			if is := w.shares()["rs1"].weight; is != 0 {
				w.t.Fatalf("the agent said drain and is silent: weight %d", is)
			}
		}
		back = 40 // the percentage is forgotten
	}
	says("ready", back)
	says("100%", 40)
	for _, conn := range open {
		if _, err := io.ReadFull(conn, make([]byte, 16)); err != nil {
			w.t.Errorf("a connection from before the agent's words: %v", err)
		}
		conn.Close()
	}
	w.note(fmt.Sprintf("an agent says 100 %%, 10 %%, drain, nothing for %s s, ready", seconds(silence)),
		"each in the table after %s s at most; weight 0 while it drains and is silent; no connection cut",
		seconds(slowest))
}
