package ipvsctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
)

const connectionsHead = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"

func TestConnectionsAreReadAsTheKernelWritesThem(t *testing.T) {
	addr := netip.MustParseAddrPort
	for line, want := range map[string]Connection{
		"TCP C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED     899\n": {
			Protocol: lvs.TCP, State: "ESTABLISHED", Expires: 899 * time.Second,
			Client: addr("198.51.100.100:40000"), Virtual: addr("198.51.100.10:80"),
			Dest: addr("192.0.2.21:8080"),
		},
		"TCP C6336400 0000 C633640A 0050 C0000215 0050 NONE             57\n": {
			Protocol: lvs.TCP, State: "NONE", Expires: 57 * time.Second,
			Client: addr("198.51.100.0:0"), Virtual: addr("198.51.100.10:80"), Dest: addr("192.0.2.21:80"),
		},
		"IP  C6336464 0000 00000003 0000 C0000215 0000 ASSURED         300\n": {
			State: "ASSURED", Expires: 300 * time.Second,
			Client: addr("198.51.100.100:0"), Virtual: addr("0.0.0.3:0"), Dest: addr("192.0.2.21:0"),
		},
		"IP  2001:0db8:0000:0000:0000:0000:0000:0064 0000 0000:0007:0000:0000:0000:0000:0000:0000 0000 " +
			"2001:0db8:0000:0000:0000:0000:0000:0021 0000 NONE             30\n": {
			State: "NONE", Expires: 30 * time.Second,
			Client: addr("[2001:db8::64]:0"), Virtual: addr("[0:7::]:0"), Dest: addr("[2001:db8::21]:0"),
		},
		"UDP 2001:0db8:0000:0000:0000:0000:0000:0064 13C4 2001:0db8:0000:0000:0000:0000:0000:0010 13C4 " +
			"C0000215 13C4 UDP             299\n": { // a tunnel to a server of the other family
			Protocol: lvs.UDP, State: "UDP", Expires: 299 * time.Second,
			Client: addr("[2001:db8::64]:5060"), Virtual: addr("[2001:db8::10]:5060"),
			Dest: addr("192.0.2.21:5060"),
		},
		"UDP C6336464 0000 C633640A 13C4 C0000215 13C4 NONE             30 sip a b\x1b[2J@host\n": {
			Protocol: lvs.UDP, State: "NONE", Expires: 30 * time.Second, Engine: "sip",
			EngineData: "a b\x1b[2J@host",
			Client:     addr("198.51.100.100:0"), Virtual: addr("198.51.100.10:5060"),
			Dest: addr("192.0.2.21:5060"),
		},
		"IP_47 C6336464 0001 C633640A 0000 C0000215 0000 ERR!             30\n": {
			Protocol: 47, State: "ERR!", Expires: 30 * time.Second,
			Client: addr("198.51.100.100:1"), Virtual: addr("198.51.100.10:0"), Dest: addr("192.0.2.21:0"),
		},
	} {
		got, skipped := connectionsIn(t, strings.NewReader(connectionsHead+line))
		if skipped != 0 || len(got) != 1 || got[0] != want {
			t.Errorf("%q\ngot  %+v, %d skipped\nwant %+v", line, got, skipped, want)
		}
	}
}

func TestTemplateIsToldFromAConnection(t *testing.T) {
	for line, want := range map[string]struct {
		template bool
		mark     uint32
	}{
		"TCP C6336464 0000 C633640A 0050 C0000215 0050 NONE 57\n":   {true, 0},
		"IP  C6336464 0000 FFFFFFFE 0000 C0000215 0000 ASSURED 3\n": {true, 0xfffffffe},
		"TCP C6336464 0000 C633640A 0400 C0000215 0400 LISTEN 57\n": {false, 0}, // FTP
		"TCP C6336464 0001 C633640A 0050 C0000215 0050 NONE 57\n":   {false, 0},
		"IP  2001:0db8:0000:0000:0000:0000:0000:0064 0000 0001:0007:0000:0000:0000:0000:0000:0000 0000 " +
			"2001:0db8:0000:0000:0000:0000:0000:0021 0000 NONE 30\n": {true, 0x10007},
	} {
		got, _ := connectionsIn(t, strings.NewReader(line))
		if len(got) != 1 || got[0].Template() != want.template || got[0].Mark() != want.mark {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
}

func TestSpoiltLinesOfConnectionsAreCountedAndTheRestIsRead(t *testing.T) {
	const good = "TCP C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED     899\n"
	for name, spoilt := range map[string]string{
		"empty":            "\n",
		"too few words":    "TCP C6336464 9C40\n",
		"no seconds":       "TCP C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED\n",
		"seconds":          "TCP C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED -1\n",
		"too many seconds": "TCP C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED 4294967296\n",
		"protocol":         "XXX C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED 899\n",
		"digits":           "TCP C633646G 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED 899\n",
		"port":             "TCP C6336464 9C401 C633640A 0050 C0000215 1F90 ESTABLISHED 899\n",
		"no colons": "TCP " + strings.Repeat("0", 39) + " 0001 " + strings.Repeat("0", 39) +
			" 0001 C0000215 1F90 ESTABLISHED 899\n",
		"two families": "TCP 2001:0db8:0000:0000:0000:0000:0000:0064 0001 C633640A 0050 C0000215 1F90 " +
			"ESTABLISHED 899\n",
		"too long":      strings.TrimSuffix(good, "\n") + " sip " + strings.Repeat("x", maxLine) + "\n",
		"endless":       strings.Repeat("x", 1<<20) + "\n",
		"a second head": connectionsHead,
	} {
		got, skipped := connectionsIn(t, strings.NewReader(connectionsHead+good+spoilt+good))
		if skipped != 1 || len(got) != 2 {
			t.Errorf("%s: %d skipped, %d read", name, skipped, len(got))
		}
	}
	const withEngine = "TCP C6336464 0000 C633640A 0050 C0000215 1F90 NONE 899 sip "
	for length, want := range map[int]int{maxLine: 1, maxLine + 1: 0} { // the length with the newline
		line := withEngine + strings.Repeat("x", length-len(withEngine)-1) + "\n"
		if got, _ := connectionsIn(t, strings.NewReader(line)); len(got) != want {
			t.Errorf("of %d bytes: %d read, want %d", length, len(got), want)
		}
	}
	if got, skipped := connectionsIn(t, strings.NewReader(good+good[:40])); skipped != 1 || len(got) != 1 {
		t.Errorf("cut off: %d skipped, %d read", skipped, len(got))
	}
}

func connectionsIn(t testing.TB, r io.Reader) (list []Connection, skipped int) {
	t.Helper()
	skipped, err := readConnections(context.Background(), r, func(c Connection) error {
		list = append(list, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, skipped
}

func TestReadingConnectionsEnds(t *testing.T) {
	enough := errors.New("enough")
	_, err := readConnections(t.Context(), &manyConnections{left: 1 << 40},
		func(Connection) error { return enough })
	if err != enough {
		t.Errorf("when the caller has enough: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = readConnections(ctx, &manyConnections{left: 1 << 40}, func(Connection) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("when the context ends: %v", err)
	}
	_, err = readConnections(t.Context(), io.MultiReader(&manyConnections{left: 2}, brokenReader{}),
		func(Connection) error { return nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("when reading fails: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// manyConnections is a table that is generated while it is read, a page at a time as in the kernel.
type manyConnections struct {
	left, client int
	page         []byte
}

func (m *manyConnections) Read(b []byte) (int, error) {
	if len(m.page) == 0 {
		if m.left == 0 {
			return 0, io.EOF
		}
		m.page = m.page[:0]
		for ; len(m.page) < 4000 && m.left > 0; m.left-- {
			m.client++
			m.page = fmt.Appendf(m.page, "TCP %08X %04X C633640A 0050 C0000215 1F90 ESTABLISHED %7d\n",
				0x0a000000+m.client, 1+m.client%65535, 900)
		}
	}
	n := copy(b, m.page)
	m.page = m.page[n:]
	return n, nil
}

// The director of a busy site has a million connections. They are read without being kept in memory.
func TestManyConnectionsTakeNoMemory(t *testing.T) {
	const most = 16 << 20 // bytes; all of them would take 40 MB
	n, peak := 0, uint64(0)
	_, err := readConnections(t.Context(), &manyConnections{left: 2e5}, func(Connection) error {
		if n++; n%20_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		return nil
	})
	if err != nil || n != 2e5 || peak > most {
		t.Errorf("%d read, %d bytes in use, want at most %d: %v", n, peak, most, err)
	}
}

func BenchmarkMillionConnections(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if _, err := readConnections(b.Context(), &manyConnections{left: 1e6},
			func(Connection) error { n++; return nil }); err != nil || n != 1e6 {
			b.Fatal(n, err)
		}
	}
}

func FuzzConnections(f *testing.F) {
	f.Add(connectionsHead + "TCP C6336464 9C40 C633640A 0050 C0000215 1F90 ESTABLISHED     899\n")
	f.Add("UDP C6336464 0000 C633640A 13C4 C0000215 13C4 NONE             30 sip a b@host\n")
	f.Add(
		"IP  2001:0db8:0000:0000:0000:0000:0000:0064 0000 0000:0007:0000:0000:0000:0000:0000:0000 0000 " +
			"2001:0db8:0000:0000:0000:0000:0000:0021 0000 NONE 30\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, skipped := connectionsIn(t, strings.NewReader(text))
		if lines := strings.Count(text, "\n") + 1; len(list)+skipped > lines {
			t.Errorf("%d read and %d skipped of %d lines", len(list), skipped, lines)
		}
		for _, c := range list {
			if !c.Client.IsValid() || !c.Virtual.IsValid() || !c.Dest.IsValid() || c.Expires < 0 {
				t.Errorf("%+v", c)
			}
			c.Mark()
		}
	})
}
