package ipvsctl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"

	"github.com/moby/ipvs"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// sent is one request as the kernel parses it.
type sent struct {
	family uint16
	flags  uint16
	seq    uint32
	cmd    uint8
	attrs  []byte
}

// acked is the kernel's answer to a request: 0 for success, or an error number.
func (s sent) acked(errno syscall.Errno) []byte {
	return s.says(unix.NLMSG_ERROR, binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno))))
}

// carries is an answer with attributes.
func (s sent) carries(attrs []byte) []byte {
	return s.says(s.family, append([]byte{s.cmd, 1, 0, 0}, attrs...))
}

// first is a kernel that answers the first request of each send, which is the only one.
func first(answer func(sent) [][]byte) func([]sent) [][]byte {
	return func(r []sent) [][]byte { return answer(r[0]) }
}

// refusing is a kernel that answers each request with an error.
func refusing(errno syscall.Errno) func([]sent) [][]byte {
	return first(func(r sent) [][]byte { return r.refuses(errno) })
}

// knows is the kernel's answer to the question for a family: it has the number 42.
func (s sent) knows() [][]byte {
	family := nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_ID, nl.Uint16Attr(42))
	return [][]byte{s.carries(family.Serialize()), s.acked(0)}
}

// refuses is an answer that is only an error.
func (s sent) refuses(errno syscall.Errno) [][]byte { return [][]byte{s.acked(errno)} }

func (s sent) says(kind uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint32(b, s.seq)
	b = append(append(b, 0, 0, 0, 0), data...)
	return append(b, 0, 0, 0)[:(len(b)+3)&^3]
}

// lineTo is a connection whose other end is the function kernel. It gets the requests of each send, and returns the
// answers to them. IPVS has the family number 30. The connection's moby handle is closed.
func lineTo(t testing.TB, kernel func([]sent) [][]byte) *conn {
	t.Helper()
	ends := testkit.Must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		0))(t)
	far := os.NewFile(uintptr(ends[1]), "kernel")
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		b := make([]byte, maxAnswer)
		for {
			n, err := far.Read(b)
			if err != nil || n == 0 {
				return
			}
			for _, answer := range kernel(requestsIn(b[:n])) {
				far.Write(answer)
			}
		}
	}()
	g := &genl{file: os.NewFile(uintptr(ends[0]), "netlink"), timeout: 10 * time.Second, family: 30,
		in: make([]byte, maxAnswer)}
	g.wait()
	t.Cleanup(func() { g.close(); <-done })
	return &conn{moby: moby{&ipvs.Handle{}}, genl: g, found: true}
}

// kernelTo is a client with such a connection.
func kernelTo(t testing.TB, far func([]sent) [][]byte) *kernel { return kernelOn(lineTo(t, far)) }

// kernelOn is a client with an open connection.
func kernelOn(c *conn) *kernel {
	k := newKernel()
	k.conn = c
	return k
}

func requestsIn(b []byte) (requests []sent) {
	for len(b) > 0 {
		size := binary.NativeEndian.Uint32(b)
		requests = append(requests, sent{
			family: binary.NativeEndian.Uint16(b[4:]), flags: binary.NativeEndian.Uint16(b[6:]),
			seq: binary.NativeEndian.Uint32(b[8:]), cmd: b[16], attrs: slices.Clone(b[20:size]),
		})
		b = b[size:]
	}
	return requests
}

// lastAcked is the answers of a kernel that makes all changes: it acknowledges only the last.
func lastAcked(requests []sent) [][]byte { return [][]byte{requests[len(requests)-1].acked(0)} }

func additions(t testing.TB, n int) (ops []lvs.Op) {
	for i := range n {
		ops = append(ops, parseOp(t, fmt.Sprintf("-a -f 1 -r 10.2.0.%d:0 -g -w 1", i)))
	}
	return ops
}

func TestABatchIsOneSendOfWhichTheLastIsAcknowledged(t *testing.T) {
	var sends [][]sent
	k := kernelTo(t, func(r []sent) [][]byte { sends = append(sends, r); return lastAcked(r) })
	ops := additions(t, lvs.Batch+2)
	for i, err := range k.Do(t.Context(), ops...) {
		if err != nil {
			t.Errorf("%s: %v", ops[i], err)
		}
	}
	if len(sends) != 2 || len(sends[0]) != lvs.Batch || len(sends[1]) != 2 {
		t.Fatalf("%d sends, want %d changes and 2", len(sends), lvs.Batch)
	}
	for i, r := range slices.Concat(sends...) {
		want := uint16(unix.NLM_F_REQUEST)
		if i == lvs.Batch-1 || i == lvs.Batch+1 {
			want |= unix.NLM_F_ACK
		}
		dest, _, err := parseDest(readAttrs(r.attrs)[cmdAttrDest], false)
		if r.family != 30 || r.cmd != cmdNewDest || r.flags != want || r.seq != uint32(i+1) ||
			dest != ops[i].Dest || err != nil {
			t.Errorf("request %d: %+v of %v, %v", i, r, dest, err)
		}
	}
}

// BenchmarkBatch measures our part of a batch, without the kernel's.
func BenchmarkBatch(b *testing.B) {
	k, ops := kernelTo(b, lastAcked), additions(b, lvs.Batch)
	b.ReportAllocs()
	for b.Loop() {
		if err := errors.Join(k.Do(b.Context(), ops...)...); err != nil {
			b.Fatal(err)
		}
	}
}

// The kernel answers each change that fails, and the last one.
func TestEachChangeOfABatchHasItsResult(t *testing.T) {
	ops := parseOps(t, "-a -f 1 -r 10.2.0.1:0 -g -w 1", "-e -f 1 -r 10.2.0.2:0 -g -w 1", "-d -f 1 -r 10.2.0.3:0",
		"-a -f 2 -r 10.2.0.4:0 -g -w 1")
	for name, answers := range map[string][4]syscall.Errno{
		"all succeed":          {},
		"one in the midst":     {1: syscall.EINVAL},
		"the last":             {3: syscall.ESRCH},
		"all":                  {syscall.EPERM, syscall.ENOENT, syscall.ESRCH, syscall.EINTR},
		"the first was there":  {0: syscall.EEXIST},
		"the last was there":   {3: syscall.EEXIST},
		"one is there no more": {1: syscall.ENOENT},
	} {
		t.Run(name, func(t *testing.T) {
			again := 0
			c := lineTo(t, func(requests []sent) (said [][]byte) {
				if requests[0].seq > 4 {
					again++
					if len(requests) != 1 || requests[0].cmd != cmdSetDest {
						t.Errorf("sent again: %+v", requests)
					}
					return lastAcked(requests)
				}
				for i, r := range requests {
					if answers[i] != 0 || i == 3 {
						said = append(said, r.acked(answers[i]))
					}
				}
				return said
			})
			k := kernelOn(c)
			results := k.Do(t.Context(), ops...)
			for i, want := range answers {
				made := want == 0 || want == syscall.EEXIST
				if (results[i] == nil) != made || !made && !errors.Is(results[i], want) {
					t.Errorf("%s: %v, want %v", ops[i], results[i], want)
				}
			}
			testkit.Equal(t, again == 1, slices.Contains(answers[:], syscall.EEXIST), "sent again:", again)
			testkit.Equal(t, k.conn == nil, slices.Contains(answers[:], syscall.ENOENT), "the line dropped")
		})
	}
}

func TestAChangeThatCantBeIsNotSent(t *testing.T) {
	badDest := additions(t, 3)
	badDest[1].Dest.Addr = netip.AddrPort{}
	badService := parseOps(t, "-a -f 1 -r 10.2.0.1:0 -g -w 1", "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.2:0 -g -w 1",
		"-a -f 1 -r 10.2.0.3:0 -g -w 1")
	badService[1].Key.Mark = 0
	for name, row := range map[string]struct {
		ops   []lvs.Op
		sends []int // the number of changes in each send
	}{
		"a destination":                  {badDest, []int{2}},
		"a service between destinations": {badService, []int{1, 2}},
		"a service before destinations":  {badService[1:], []int{2}},
		"a service after destinations":   {badService[:2], []int{1}},
		"a service alone":                {badService[1:2], nil},
	} {
		var sends []int
		k := kernelTo(t,
			func(r []sent) [][]byte { sends = append(sends, len(r)); return lastAcked(r) })
		results := k.Do(t.Context(), row.ops...)
		if !slices.Equal(sends, row.sends) || len(results) != len(row.ops) {
			t.Errorf("%s: %v sent, %d results", name, sends, len(results))
		}
		for i, err := range results {
			if bad := Check(row.ops[i]) != nil; (err != nil) != bad {
				t.Errorf("%s: %s: %v", name, row.ops[i], err)
			}
		}
	}
}

func TestALineThatFailsIsDroppedWithTheResultsThatItOwes(t *testing.T) {
	for name, row := range map[string]struct {
		kernel func(r sent) []byte
		err    error
	}{
		"no answer":        {nil, errNoAnswer},
		"an answer short":  {func(r sent) []byte { return r.says(30, []byte{1, 2, 3}) }, nil},
		"no buffer":        {func(r sent) []byte { return r.acked(syscall.ENOBUFS) }, syscall.ENOBUFS},
		"the line is shut": {func(r sent) []byte { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := lineTo(t, func(r []sent) [][]byte {
				if row.kernel == nil {
					return nil
				}
				return [][]byte{row.kernel(r[0])}
			})
			c.genl.timeout = 50 * time.Millisecond
			if name == "the line is shut" {
				c.close()
			}
			k := kernelOn(c)
			err := k.Do(t.Context(), additions(t, 1)...)[0]
			if err == nil || row.err != nil && !errors.Is(err, row.err) || errors.Is(err, errPending) {
				t.Errorf("%v, want %v", err, row.err)
			}
			if k.conn != nil {
				t.Error("the line is kept")
			}
			testkit.Is(t, testkit.Error(c.genl.file.Write([]byte{0})), fs.ErrClosed, "the socket")
		})
	}
}

func TestAnswersToOthersAreNotOurs(t *testing.T) {
	c := lineTo(t, func(r []sent) [][]byte {
		before, after := r[0], r[0]
		before.seq--
		after.seq++
		return [][]byte{before.acked(syscall.EPERM), after.acked(syscall.EPERM),
			r[0].carries(nl.NewRtAttr(1, []byte("ours")).Serialize()),
			after.carries(nl.NewRtAttr(1, []byte("no")).Serialize()), r[0].acked(0)}
	})
	c.genl.seq = 7
	var got []string
	testkit.OK(t, c.genl.ask(30, 1, 0, func(a attrs) error { got = append(got, string(a[1])); return nil }))
	testkit.Same(t, got, []string{"ours"})
}

func TestNothingToAskIsNoRequest(t *testing.T) {
	c := lineTo(t, func([]sent) [][]byte { t.Error("a request was sent"); return nil })
	testkit.Same(t, testkit.Must(c.genl.exchange(nil))(t), []error(nil))
}

// A request ends with its context, and is not sent after that.
func TestARequestEndsWithItsContext(t *testing.T) {
	gone := errors.New("gone")
	for _, early := range []bool{true, false} {
		ctx, cancel := context.WithCancelCause(t.Context())
		sends := 0
		k := kernelTo(t, func([]sent) [][]byte { sends++; cancel(gone); return nil })
		if early {
			cancel(gone)
		}
		err := k.Do(ctx, additions(t, 1)...)[0]
		if !errors.Is(err, gone) || (sends == 0) != early || !early && k.conn != nil {
			t.Errorf("ended before: %v; %v, %d sent, the line %v", early, err, sends, k.conn)
		}
	}
}

func TestCloseDropsTheLine(t *testing.T) {
	k := kernelTo(t, lastAcked)
	testkit.OK(t, errors.Join(k.Close(), k.Close()))
	testkit.Equal(t, k.conn, nil)
}

// kernelOf answers requests as a kernel with this table does.
func kernelOf(table lvs.Table) func([]sent) [][]byte {
	return func(requests []sent) (answers [][]byte) {
		r := requests[0]
		if r.flags != unix.NLM_F_REQUEST|unix.NLM_F_DUMP|unix.NLM_F_ACK {
			return r.refuses(syscall.EINVAL)
		}
		if r.cmd == cmdGetService {
			for key := range table {
				answers = append(answers, r.carries(keyAttr(key).Serialize()))
			}
		} else {
			asked, _ := parseService(readAttrs(r.attrs)[cmdAttrService])
			for _, d := range table[asked.Key].Dests {
				attr := destAttr(d)
				attr.AddRtAttr(destAttrActive, nl.Uint32Attr(d.Weight+100))
				stats := attr.AddRtAttr(destAttrStats|unix.NLA_F_NESTED, nil)
				for kind := statsConnections; kind <= statsBytesOut; kind++ {
					stats.AddRtAttr(kind, nl.Uint64Attr(uint64(kind)<<32+uint64(d.Weight)))
				}
				answers = append(answers, r.carries(attr.Serialize()))
			}
		}
		return append(answers, r.says(unix.NLMSG_DONE, make([]byte, 4)))
	}
}

func TestTheTableIsReadServiceByService(t *testing.T) {
	want := tableOf(t, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 1", "-a -f 1 -r 10.2.0.2:0 -g -w 2",
		"-A -t 10.1.0.1:80 -s rr", "-A -f 3 -6 -s rr",
		"-a -f 3 -6 -r [fd00:2::1]:0 -g -w 3")
	k := kernelTo(t, kernelOf(want))
	got, err := k.Read(t.Context())
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	for key, service := range want {
		testkit.Equal(t, fmt.Sprint(got[key].Dests), fmt.Sprint(service.Dests), key)
	}
	key := parseOp(t, "-D -f 1").Key
	all, err := k.Services(t.Context(), key)
	counters := all[key].Counters
	const high = 1 << 32
	second := lvs.Counters{Active: 102,
		Traffic: lvs.Traffic{Connections: high + 2, PacketsIn: 2*high + 2, PacketsOut: 3*high + 2,
			BytesIn: 4*high + 2, BytesOut: 5*high + 2}}
	if err != nil || len(counters) != 2 || counters[netip.MustParseAddrPort("10.2.0.2:0")] != second {
		t.Errorf("%v, %v", counters, err)
	}
	testkit.Same(t, got[key].Counters, counters, "read with the table, and alone")
}

func TestATableThatCantBeReadIsAnError(t *testing.T) {
	table := tableOf(t, "-A -f 1 -s rr")
	short := nl.NewRtAttr(cmdAttrService, nil)
	short.AddRtAttr(svcAttrFamily, nl.Uint16Attr(unix.AF_INET))
	for want, answer := range map[string]func(sent) [][]byte{
		"ipvs read: services: operation not permitted": func(r sent) [][]byte {
			return r.refuses(syscall.EPERM)
		},
		"ipvs read: services: an entry with an address of 0 bytes": func(r sent) [][]byte {
			return [][]byte{r.carries(short.Serialize()), r.acked(0)}
		},
		"ipvs read: destinations of": func(r sent) [][]byte {
			if r.cmd == cmdGetService {
				return kernelOf(table)([]sent{r})
			}
			return [][]byte{r.carries(nil), r.acked(0)}
		},
	} {
		k := kernelTo(t, first(answer))
		if _, err := k.Read(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	k := kernelTo(t, refusing(syscall.EPERM))
	if _, err := k.Services(t.Context(), parseOp(t, "-D -f 1").Key); !errors.Is(err, syscall.EPERM) ||
		!strings.HasPrefix(err.Error(), "ipvs connections of ") {
		t.Errorf("%v", err)
	}
}

func TestTheFamilyIsLookedUpByName(t *testing.T) {
	for name, row := range map[string]struct {
		kernel func(sent) [][]byte
		want   string
		family uint16
	}{
		"found": {sent.knows, "<nil>", 42},
		"none":  {func(r sent) [][]byte { return r.refuses(syscall.ENOENT) }, "no such file or directory", 0},
		"no number": {func(r sent) [][]byte { return [][]byte{r.carries(nil), r.acked(0)} },
			"an answer without a family", 0},
	} {
		c := lineTo(t, func(r []sent) [][]byte {
			if r[0].family != nl.GENL_ID_CTRL || r[0].cmd != nl.GENL_CTRL_CMD_GETFAMILY ||
				string(readAttrs(r[0].attrs)[nl.GENL_CTRL_ATTR_FAMILY_NAME]) != "IPVS\x00" {
				t.Errorf("%s: asked %+v", name, r[0])
			}
			return row.kernel(r[0])
		})
		if err := c.genl.lookup(); fmt.Sprint(err) != row.want || c.genl.family != row.family {
			t.Errorf("%s: %v, family %d", name, err, c.genl.family)
		}
	}
}

func TestWithoutIPVSTheModuleIsLoadedOnce(t *testing.T) {
	for name, row := range map[string]struct {
		modprobe string
		found    bool // IPVS is there afterwards
		want     string
	}{
		"it helps":            {"exit 0", true, "<nil>"},
		"it fails and helps":  {"exit 1", true, "<nil>"},
		"it does not help":    {"exit 0", false, "modprobe found nothing to do"},
		"it says why":         {"echo no >&2; echo more >&2; exit 1", false, `exit status 1: "no"`},
		"it fails in silence": {"exit 1", false, "modprobe: exit status 1"},
	} {
		modprobe(t, row.modprobe)
		asked := 0
		c := lineTo(t, func(r []sent) [][]byte {
			if asked++; asked == 2 && row.found {
				return r[0].knows()
			}
			return r[0].refuses(syscall.ENOENT)
		})
		err := findFamily(t.Context(), c.genl)
		if absent := (*absentError)(nil); errors.As(err, &absent) {
			err = absent.why
		}
		if fmt.Sprint(err) != row.want || asked != 2 {
			t.Errorf("%s: %v after %d questions, want %s", name, err, asked, row.want)
		}
	}
	c := lineTo(t, refusing(syscall.EPERM))
	modprobe(t, "exit 0")
	testkit.Equal(t, findFamily(t.Context(), c.genl), error(syscall.EPERM))
	t.Setenv("PATH", t.TempDir())
	if err := loadModule(t.Context()); err == nil {
		t.Error("no modprobe and no error")
	}
}

func TestErrorsOfTheLine(t *testing.T) {
	for err, want := range map[error]bool{
		nil: false, syscall.EINVAL: false, syscall.ESRCH: false, syscall.ENOENT: true, syscall.ENOBUFS: true,
		syscall.EAGAIN: true, syscall.EBADF: true, errNoAnswer: true,
	} {
		testkit.Equal(t, lineFailed(err), want, err)
	}
}

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	for want, err := range map[string]error{
		"ipvs open: odd": errors.New("odd"),
		"ipvs open: operation not permitted (this needs root, or the capability CAP_NET_ADMIN)": syscall.EPERM,
		"ipvs open: the kernel has no IPVS (the module ip_vs can't be loaded: " +
			"odd)": &absentError{errors.New("odd")},
	} {
		testkit.Equal(t, openError(err).Error(), want)
	}
}

// Here each deadline is over as soon as it is set, so the error shows where one is set.
func TestAReadGivesEachBatchOfRequestsItsTime(t *testing.T) {
	table := tableOf(t, "-A -f 1 -s rr")
	for last, want := range map[uint32]error{lvs.Batch - 1: errNoAnswer, 2*lvs.Batch - 1: errNoAnswer,
		lvs.Batch: nil, 0: nil} {
		c := lineTo(t, kernelOf(table))
		c.genl.seq, c.genl.timeout = last, -time.Second
		if _, err := c.genl.read(); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("after request %d: %v, want %v", last, err, want)
		}
	}
}

// Each service is asked for once. After a failure the counters that were read before it are returned.
func TestCountersOfManyServices(t *testing.T) {
	table := tableOf(t, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 1", "-A -f 2 -s rr",
		"-a -f 2 -r 10.2.0.2:0 -g -w 2")
	one, two, three := parseOp(t, "-D -f 1").Key, parseOp(t, "-D -f 2").Key, parseOp(t, "-D -f 3").Key
	var asked atomic.Int32
	k := kernelTo(t, func(r []sent) [][]byte {
		if asked.Add(1) == 4 {
			return r[0].refuses(syscall.EPERM)
		}
		return kernelOf(table)(r)
	})
	all, err := k.Services(t.Context(), one, two, one, three, lvs.Key{Mark: 4})
	if !errors.Is(err, syscall.EPERM) || !strings.HasPrefix(err.Error(), "ipvs connections of -f 4: ") ||
		asked.Load() != 4 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
	_, read := all[three]
	if len(all) != 3 || len(all[one].Counters) != 1 || len(all[two].Dests) != 1 || !read {
		t.Errorf("%v", all)
	}
}

// A closed socket does not end a system call that hangs.
func TestARequestThatHangsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := testkit.Must(os.Open(os.DevNull))(t)
		g := &genl{file: file, timeout: answerTimeout}
		k := kernelOn(&conn{moby: moby{&ipvs.Handle{}}, genl: g, found: true})
		ctx, returns, began := testkit.Within(t, answerTimeout), make(chan bool), time.Now()
		for _, want := range []time.Duration{answerTimeout + hangTimeout, 0} {
			got, err := request(ctx, k, func(*conn) (int, error) { <-returns; return 1, nil })
			testkit.Is(t, err, context.DeadlineExceeded)
			testkit.Equal(t, got, 0, "the answer")
			testkit.Equal(t, time.Since(began), want, "the time of the request")
			began, ctx = time.Now(), t.Context()
		}
		testkit.OK(t, k.Close())
		close(returns)
		synctest.Wait()
		testkit.Equal(t, k.hung.Load() || len(k.turn) > 0, false, "the next request waits")
	})
}
