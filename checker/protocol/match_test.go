package protocol

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// slow is a pattern for which the backtracking engine needs practically forever on slowText.
const slow = `(?=(a|aa)+$)a`

var slowText = strings.Repeat("a", 100) + "b"

// hasty has very short time limits.
func hasty() *Matching {
	limits := NewMatching()
	limits.quick.budget, limits.thorough.budget = time.Millisecond, 2*time.Millisecond
	return limits
}

// page is a server that answers with this page.
func page(text string) func(*testServer, net.Conn) {
	return saying(okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text))
}

// The second try has more time: a pattern that is slow, but not hopeless, gets a result.
func TestMatchOverItsBudgetIsTriedOnceMore(t *testing.T) {
	e := &Env{Matching: hasty()}
	e.Matching.quick.budget, e.Matching.thorough.budget = 0, time.Minute
	m := testkit.Must(e.matcher("receive", slow))(t)
	s := search{ctx: t.Context(), matcher: m}
	if ok, err := s.match([]byte(strings.Repeat("a", 10) + "b")); ok || err != nil || !s.thorough {
		t.Errorf("%v, %v, tried again %v", ok, err, s.thorough)
	}
}

// All of a long page is compared with the ways to write what it must not contain.
func TestMatchOfAPageOfOneMiB(t *testing.T) {
	e := &Env{Matching: NewMatching()}
	e.Matching.thorough.budget = time.Minute // also on a slow machine
	page := []byte(strings.Repeat("a <b>page</b>\r\n", maxText/15))
	for pattern, want := range map[string]string{
		`(?s)^(?:(?!ERROR).)*$`: "", `(?s)\A(?:[^<]|<(?!error))*\z`: "", `^(?:(?:(?!ERROR).)*\n)*$`: "",
		`(?s)^(?:(?:(?:(?!ERROR)|x)(?:.|y))|z)*$`: "cannot be judged: matching needs too much memory with /",
	} {
		m := testkit.Must(e.matcher("receive", pattern))(t)
		found, err := m.match(t.Context(), page)
		if found != (want == "") {
			t.Errorf("%s: %v, %v", pattern, found, err)
		}
		testkit.OKOr(t, err, want, pattern)
		var left runtime.MemStats
		if runtime.ReadMemStats(&left); left.HeapAlloc > 24<<20 {
			t.Errorf("%s: a heap of %d MiB is left", pattern, left.HeapAlloc>>20)
		}
	}
}

// After a reload all servers are checked at once. Each comparison has its own time, whatever the others need.
func TestManySlowMatchesAtOnceAreAllJudged(t *testing.T) {
	m := testkit.Must(new(Env).matcher("receive", `(?=.)class=.*active`))(t)
	unit := `<div class="card"><a href="/product/12345">Some product name, description of it</a></div>`
	page := []byte(strings.Repeat(unit, 80) + "\n" + `<div class="state active">ok</div>`)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			found, err := m.match(t.Context(), page)
			testkit.Equal(t, found && err == nil, true, err)
		})
	}
	all.Wait()
}

func TestWaitForATurnEndsWithTheCheck(t *testing.T) {
	limits := NewMatching()
	limits.thorough.slots <- struct{}{}
	ctx := testkit.Ended(t)
	testkit.Is(t, testkit.Error(acquireSlot(ctx, limits.thorough.slots)), wire.ErrStopped)
}

// A large body waits for its turn to be compared. That time is not part of the server's timeout.
func TestWaitForATurnIsNotTheServersTime(t *testing.T) {
	spec := httpSpec(serve(t, page(strings.Repeat("x", 4*largeBody)+"ready")).addr, "x.*ready$")
	moreTime(300*time.Millisecond, func(timeout time.Duration) (Result, bool) {
		spec.NegotiateTimeout = timeout
		limits, _ := full(2 * timeout)
		r := build(t, spec, &Env{Matching: limits}).Check(t.Context())
		testkit.Equal(t, len(limits.bodies), largeBodies-1, "slots are taken")
		return r, r.OK
	}, func(r Result) { t.Errorf("%+v", r) })
}

// So it is with a large file of FTP, whose data connection has all the time of the check.
func TestWaitForATurnIsNotTheTimeOfAnFTPServer(t *testing.T) {
	d := newDialogues(t, dialogueFolder+"ftp.txt")
	d.cases(strings.NewReplacer())
	moreTime(time.Second, func(timeout time.Duration) (Result, bool) {
		limits, released := full(2 * timeout)
		late := func(*client) bool { <-released; time.Sleep(3 * timeout / 4); return true }
		patient := func(c *client) bool { return c.SetDeadline(time.Now().Add(inTime+3*timeout)) == nil }
		file := transfer(raw(strings.Repeat("x", 4*largeBody)), late, raw("ready"))
		quit := func(c *client) bool { c.read.ReadString('\n'); return true } // none if the check timed out
		script := slices.Concat(script{patient}, d.script(d.expand("@passive; @retrieve", 2)),
			script{file, say("226 done"), quit, say("221 bye")})
		spec := Spec{Type: "negotiate", Service: "ftp", Target: serveScript(t, "127.0.0.1", script...),
			NegotiateTimeout: timeout}
		apply(t, &spec, "request=/status; receive=x.*ready$; login=monitor; passwd=secret")
		r := build(t, spec, &Env{Matching: limits}).Check(t.Context())
		return r, r.OK
	}, func(r Result) { t.Errorf("%+v", r) })
}

// full has no turn for a large body, until it is released.
func full(until time.Duration) (limits *Matching, released chan struct{}) {
	limits, released = NewMatching(), make(chan struct{})
	for range largeBodies {
		limits.bodies <- struct{}{}
	}
	time.AfterFunc(until, func() { <-limits.bodies; close(released) })
	return limits, released
}

// When a server sends single bytes, the answer is not searched again for each of them.
func TestDrippingServerIsNotSearchedForEachByte(t *testing.T) {
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		for range maxHeard / 2 {
			if _, err := there.Write([]byte("s")); err != nil {
				return
			}
		}
	}()
	m := testkit.Must(new(Env).matcher("receive", `\d\d|x`))(t)
	server := testkit.Must(wire.Guard(t.Context(), here, time.Now().Add(inTime)))(t)
	h := session{server: server, buf: make([]byte, maxHeard), search: search{ctx: t.Context()}}
	if err := h.expect(simpleStep{expect: m}); err == nil {
		t.Error("the pattern was found")
	}
	if h.searched > 2*maxSearched {
		t.Errorf("%d bytes were searched for %d", h.searched, len(h.received))
	}
}

// UDP has no end of an answer: the length decides how much of it is searched.
func TestDatagramsAreSearchedUpToALimit(t *testing.T) {
	m := testkit.Must(new(Env).matcher("receive", "ok"))(t)
	a := simpleAnswer{search: search{ctx: t.Context(), matcher: m}}
	flood := []byte(strings.Repeat("status\n", 1000))
	err := wire.ErrNotYet
	for errors.Is(err, wire.ErrNotYet) {
		err = a.datagram(flood)
	}
	if a.received > maxSimpleAnswer+len(flood) ||
		!strings.HasPrefix(err.Error(), "no line matches /ok/ in the first 262144 bytes") {
		t.Errorf("%d bytes: %v", a.received, err)
	}
}

// Joining folded lines takes linear time and memory.
func TestFoldedHeaderLeavesLittleGarbage(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nX: a\n" + strings.Repeat(" b\n", 20000) + "Content-Length: 2\r\n\r\n"
	r := newAnswerReader(t.Context(), inTime, NewMatching())
	defer r.close()
	r.reset(havingSaid(strings.NewReader(head)))
	made := testkit.Taken(func() { testkit.Equal(t, testkit.Must(r.answer())(t).length, 2) })
	if made > 1<<20 {
		t.Errorf("%d bytes for a header of %d", made, len(head))
	}
}

// What a server adds to the headers of its chunks is limited as a header is.
func TestExtensionsOfChunksAreCounted(t *testing.T) {
	for _, header := range []string{"1;" + strings.Repeat("e", 4000), strings.Repeat("0", 4000) + "1"} {
		from := strings.NewReader(okHead + "Transfer-Encoding: chunked\r\n\r\n" +
			strings.Repeat(header+"\r\na\r\n", 1000))
		r := newAnswerReader(t.Context(), inTime, NewMatching())
		defer r.close()
		r.reset(havingSaid(from))
		a := testkit.Must(r.answer())(t)
		testkit.Fails(t, r.readBody(&a), "chunk extensions and leading zeros are longer than 65536 bytes")
		if read := from.Size() - int64(from.Len()); read > 3*maxHead {
			t.Errorf("%d bytes were read", read)
		}
	}
}

// A length that is only announced takes no memory: the body may never come.
func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	r := newAnswerReader(t.Context(), inTime, NewMatching())
	defer r.close()
	r.small = new(make([]byte, 0, smallBody)) // another test may have left a large one in the pool
	r.text = *r.small
	r.reset(havingSaid(io.MultiReader(strings.NewReader(okHead+"Content-Length: 4611686018427387903\r\n\r\nx"),
		iotest.ErrReader(io.EOF))))
	a := testkit.Must(r.answer())(t)
	if err := r.readBody(&a); !wire.IsClosed(err) {
		t.Errorf("%v", err)
	}
	if cap(r.text) > smallBody {
		t.Errorf("%d bytes are held for a body of 1", cap(r.text))
	}
}
