package ipvsctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

const connectionsHead = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"

func TestConnectionsAreReadAsTheKernelWritesThem(t *testing.T) {
	raw := strings.NewReplacer(`\x1b`, "\x1b")
	for _, row := range testkit.Table(t, "../testdata/ipvsctl/connections.txt", 4) {
		got, skipped := connectionsIn(t, strings.NewReader(connectionsHead+raw.Replace(row[0])+"\n"))
		if skipped != 0 || len(got) != 1 {
			t.Fatalf("%q: %d read, %d skipped", row[0], len(got), skipped)
		}
		c := got[0]
		is := fmt.Sprintf("%s %s %s %s %s %s", c.Protocol, c.Client, c.Virtual, c.Dest, c.State, c.Expires)
		engine := c.Engine + ":" + c.EngineData
		testkit.Equal(t, is, row[1], row[0])
		testkit.Equal(t, engine, raw.Replace(row[2]), row[0])
		testkit.Equal(t, fmt.Sprint(c.Template(), " ", c.Mark()), row[3], row[0])
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
	testkit.OK(t, err)
	return list, skipped
}

func TestReadingConnectionsEnds(t *testing.T) {
	enough := errors.New("enough")
	_, err := readConnections(t.Context(), &manyConnections{left: math.MaxInt},
		func(Connection) error { return enough })
	testkit.Equal(t, err, enough, "when the caller has enough")
	ctx, cancel := context.WithCancel(t.Context())
	_, err = readConnections(ctx, &manyConnections{left: math.MaxInt},
		func(Connection) error { cancel(); return nil })
	testkit.Is(t, err, context.Canceled, "when the context ends")
	_, err = readConnections(t.Context(), io.MultiReader(&manyConnections{left: 2}, brokenReader{}),
		func(Connection) error { return nil })
	testkit.Is(t, err, io.ErrUnexpectedEOF, "when reading fails")
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
