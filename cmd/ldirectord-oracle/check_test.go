package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/checker/oracle"
	"ldirectord/internal/testkit"
)

var question = oracle.Question{
	Server: netip.MustParseAddrPort("192.0.2.1:1521"), HostName: "director",
	Login: []byte("check"), Password: []byte("se\xffcret"), Database: []byte("XE"),
	Query: []byte("SELECT 1 FROM dual"),
}

// served makes a socket for each text. The other end reads a port, sends the text and reads to the end. The function
// ports returns the ports that were read.
func served(says ...string) (sockets []net.Conn, ports func() []uint16) {
	asked := make([]chan uint16, len(says))
	for i, text := range says {
		mine, its := net.Pipe()
		sockets, asked[i] = append(sockets, its), make(chan uint16, 1)
		go func() {
			defer mine.Close()
			port := make([]byte, 2)
			if _, err := io.ReadFull(mine, port); err != nil {
				return
			}
			asked[i] <- binary.BigEndian.Uint16(port)
			go io.Copy(io.Discard, mine)
			io.WriteString(mine, text)
		}()
	}
	return sockets, func() (list []uint16) {
		for _, from := range asked {
			select {
			case port := <-from:
				list = append(list, port)
			default:
			}
		}
		return list
	}
}

func packet(kind byte, words string) string {
	body := string([]byte{byte(len(words) >> 8), byte(len(words))}) + words
	if kind == 4 {
		body = "\x22\x00" + body
	}
	return string([]byte{0, byte(8 + len(body)), 0, 0, kind, 0, 0, 0}) + body
}

func redirect(port string) string {
	return packet(5, "(ADDRESS=(PROTOCOL=tcp)(HOST=192.0.2.9)(PORT="+port+"))")
}

func TestAnswers(t *testing.T) {
	says := map[string]string{"refusal": packet(4, "(DESCRIPTION=(ERR=12505))"), "port 1522": redirect("1522"),
		"port 1523": redirect("1523"), "port 99999": redirect("99999"), "nothing": ""}
	for _, row := range testkit.Table(t, "testdata/answers.txt", 4) {
		first, second, _ := strings.Cut(row[1], ", ")
		sockets, ports := served(says[first], says[second])
		got := check(question, sockets)
		text := strings.TrimSpace(fmt.Sprint(got.Outcome, map[bool]string{true: " lost"}[got.Lost]))
		testkit.Equal(t, text, row[2], row[0])
		testkit.Equal(t, got.InQuery, false, row[0])
		testkit.Equal(t, fmt.Sprintf("%s at %d", got.Text, ports()), row[3], row[0])
	}
}

// A password of any bytes reaches the driver unchanged, and a long message of the server is cut.
func TestWhatIsAskedAndToldIsWhole(t *testing.T) {
	text, err := json.Marshal(question)
	var q oracle.Question
	testkit.OK(t, json.Unmarshal(text, &q))
	if c := settings(q); err != nil || c.Password != "se\xffcret" || c.SID != "XE" ||
		c.Servers[0].NetworkAddr() != "192.0.2.1:1521" {
		t.Errorf("%v: %+v", err, c)
	}
	q.Database = []byte("/pdb.example")
	if c := settings(q); c.ServiceName != "pdb.example" || c.SID != "" {
		t.Errorf("%+v", c)
	}
	d := &dialer{failed: io.EOF}
	if a := d.failure(io.ErrNoProgress); string(a.Text) != "EOF" || a.Lost {
		t.Errorf("%+v", a)
	}
	d = &dialer{}
	testkit.Equal(t, len(d.failure(longError{}).Text), oracle.MaxText, "bytes")
}

type longError struct{}

func (longError) Error() string { return strings.Repeat("x", 5000) }

// framed is the part of a server's answer that ldirectord passes on: whole packets only.
func framed(text []byte) []byte {
	for i, wide := 0, false; ; {
		rest := text[i:]
		if len(rest) < 8 {
			return text[:i]
		}
		length := int(binary.BigEndian.Uint16(rest))
		if wide {
			length = int(binary.BigEndian.Uint32(rest))
		}
		if length < 8 || length > len(rest) || rest[4] == 0 || rest[4] > 20 {
			return text[:i]
		}
		wide = wide || rest[4] == 2 && length >= 10 && binary.BigEndian.Uint16(rest[8:]) >= 315
		i += length
	}
}

// FuzzCheck: whatever a server sends, the check ends, or it crashes, which ldirectord reports as a failure.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("\x00\x20\x00\x00\x02\x00\x00\x00" +
		"\x01\x3a\x0c\x41\x20\x00\xff\xff\x01\x00\x00\x00\x00\x20\x41\x41\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x0c\x00\x00\x04\x00\x00\x00\x22\x00\x00\x02ab"))
	f.Add([]byte("\x00\x10\x00\x00\x05\x00\x00\x00\x00\x06(A=B)x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		defer func() { _ = recover() }()
		sockets, _ := served(string(framed(text)), "", "")
		if a := check(question, sockets); a.Outcome == "" || len(a.Text) > oracle.MaxText {
			t.Errorf("%+v", a)
		}
	})
}
