package protocol

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"ldirectord/checker/wire"
)

// Limits on reading an answer, in bytes. The limit for the body is maxText.
const (
	maxHead      = 64 << 10 // the header, including interim answers
	maxChunkLine = 4 << 10
)

// httpAnswer is the response of an HTTP server. Its body is in the reader's buffer.
type httpAnswer struct {
	status    int
	reason    string
	location  string
	length    int    // the length of the body; -1 if the header does not say
	badLength error  // not nil: the header gives an invalid length
	chunked   bool   // the body is chunked
	field     []byte // the value of the field that was asked for; nil: there is none
	body      []byte
	cut       bool // reading ended after maxText bytes of the body
}

// statusLine returns the status in the form of the Perl ldirectord: 200 OK.
func (a *httpAnswer) statusLine() string {
	if a.status == 200 && a.reason == "OK" {
		return "200 OK"
	}
	return wire.Show(a.statusText())
}

// statusText returns the status as received, with the usual text if the server sent none.
func (a *httpAnswer) statusText() string {
	return fmt.Sprintf("%03d %s", a.status, cmp.Or(a.reason, http.StatusText(a.status), "Unknown code"))
}

// answerReader reads the HTTP answers of a check (RFC 9112), one after another. The length of every part is limited. We
// do not use http.ReadResponse, because it refuses answers that are good enough for a check, such as those with junk in
// the header. It is also slower and makes 15 allocations (BenchmarkAnswerOwn, BenchmarkAnswerNetHTTP).
type answerReader struct {
	timeout time.Duration // the timeout of the check, for messages
	src     *wire.Conn
	in      *bufio.Reader // reads src
	header  int           // bytes of headers received
	extra   int           // bytes of chunk headers, except the first 16 of each
	wanted  string        // the field whose value is kept; "" for none
	beginning
}

// newAnswerReader returns a reader, which must be closed.
func newAnswerReader(ctx context.Context, timeout time.Duration, limits *Matching) answerReader {
	return answerReader{timeout: timeout, in: readerPool.Get().(*bufio.Reader),
		beginning: beginning{ctx: ctx, limits: limits}}
}

// close returns the buffers to their pools. No part of an answer may be used afterwards.
func (r *answerReader) close() {
	r.in.Reset(nil)
	readerPool.Put(r.in)
	r.beginning.close()
}

var readerPool = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxChunkLine) }}

// reset makes the reader ready for another answer.
func (r *answerReader) reset(src *wire.Conn) {
	r.src, r.header, r.extra, r.text = src, 0, 0, r.text[:0]
	r.in.Reset(src)
}

// longTurn is the longest wait for a slot after which a broken connection still counts as the server's fault.
const longTurn = time.Second

// broken explains an error that occurred while reading one part of the answer.
func (r *answerReader) broken(part string, err error) error {
	switch {
	case wire.IsOneOf(err, wire.ErrUnjudged, wire.ErrStopped):
		return err
	case r.waited > longTurn && !wire.IsTimeout(err): // a server need not wait that long
		return wire.NewFault(wire.ErrUnjudged,
			"cannot be judged: %s in %s, after the check waited %v for its turn to match the answer",
			wire.Reason(err), part, r.waited.Round(time.Millisecond))
	}
	return wire.ReadFault(part, r.header+r.in.Buffered() > 0, r.timeout, err)
}

// isOver reports whether a server has ended the connection. A reset also counts: a server that did not read our whole
// request ends the connection with one.
func (r *answerReader) isOver(err error) bool {
	return err == io.EOF || wire.IsOneOf(err, syscall.ECONNRESET) && r.waited <= longTurn
}

// answer reads the header of the final answer, after those of any interim answers.
func (r *answerReader) answer() (httpAnswer, error) {
	for {
		a, err := r.head()
		if err != nil || a.status < 100 || a.status > 199 || a.status == 101 {
			return a, err
		}
	}
}

// head reads a status line and the header fields that matter to a check, up to the empty line after them.
func (r *answerReader) head() (httpAnswer, error) {
	a := httpAnswer{length: -1}
	line, err := r.statusLine()
	if err == nil {
		err = a.parseStatus(line)
	}
	field := make([]byte, 0, 256)
	for err == nil {
		if line, err = r.headerLine(); err != nil {
			break
		}
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') { // continues a field (RFC 9112, 5.2)
			field = append(append(field, ' '), bytes.TrimLeft(line, " \t")...)
			continue
		}
		a.parseField(field, r.wanted)
		if len(line) == 0 {
			break
		}
		field = append(field[:0], line...)
	}
	return a, err
}

var httpMark = []byte("HTTP/")

// statusLine reads the first line, which must be an HTTP status line.
func (r *answerReader) statusLine() ([]byte, error) {
	start, err := r.in.Peek(len(httpMark))
	if !bytes.HasPrefix(httpMark, start) {
		reply, _ := r.in.Peek(r.in.Buffered())
		return nil, notHTTP(reply)
	}
	if err != nil {
		return nil, r.broken("the header", err)
	}
	return r.headerLine()
}

// headerLine reads a line of the header, without its line break (LF or CR LF). The next call overwrites the line.
func (r *answerReader) headerLine() (line []byte, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		r.header += len(part)
		torn := len(line)+len(part) > 0 && err != io.EOF // a script may end without a line break
		switch {
		case r.header > maxHead:
			return nil, fmt.Errorf("header is longer than %d bytes", maxHead)
		case err == bufio.ErrBufferFull:
			line = append(line, part...)
			continue
		case err != nil && (torn || !r.isOver(err)): // a script may end without an empty line
			return nil, r.broken("the header", err)
		case line == nil:
			return withoutEnd(part), nil
		}
		return withoutEnd(append(line, part...)), nil
	}
}

func withoutEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func notHTTP(reply []byte) error {
	if len(reply) > 1 && (reply[0] == 0x15 || reply[0] == 0x16) && reply[1] == 3 {
		return errors.New("not HTTP: the port uses TLS")
	}
	return fmt.Errorf("not HTTP: %s", wire.Excerpt(reply))
}

// parseStatus reads "HTTP/1.1 200 OK". The reason may be missing.
func (a *httpAnswer) parseStatus(line []byte) error {
	_, rest, _ := bytes.Cut(line, []byte(" "))
	code, reason, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	a.reason = string(reason)
	status, err := strconv.ParseUint(string(code), 10, 16)
	if err != nil || len(code) != 3 {
		return fmt.Errorf("bad status line %s", wire.Excerpt(line))
	}
	a.status = int(status)
	return nil
}

// parseField reads a header field. A line that is not a header field is ignored.
func (a *httpAnswer) parseField(field []byte, wanted string) {
	name, value, ok := bytes.Cut(field, []byte(":"))
	name, value = bytes.TrimRight(name, " \t"), bytes.Trim(value, " \t")
	if ok && wanted != "" && fieldIs(name, wanted) {
		if a.field == nil {
			a.field = []byte{}
		} else { // several fields form one list (RFC 9110, 5.3)
			a.field = append(a.field, ", "...)
		}
		a.field = append(a.field, value...)
	}
	switch {
	case !ok:
	case fieldIs(name, "content-length"):
		for list, more := value, true; more; { // a list of equal lengths is valid (RFC 9110, 8.6)
			var one []byte
			one, list, more = bytes.Cut(list, []byte(",")) // allocates nothing, unlike SplitSeq
			n, err := strconv.ParseUint(string(bytes.Trim(one, " \t")), 10, 62)
			if err != nil || a.length >= 0 && a.length != int(n) {
				a.badLength = fmt.Errorf("bad Content-Length %s", wire.Excerpt(value))
				return
			}
			a.length = int(n)
		}
	case fieldIs(name, "transfer-encoding"):
		last := value[bytes.LastIndexByte(value, ',')+1:]
		a.chunked = fieldIs(bytes.Trim(last, " \t"), "chunked")
	case fieldIs(name, "location") && a.location == "":
		a.location = string(value)
	}
}

// fieldIs reports whether a field has the wanted name, regardless of case.
func fieldIs(name []byte, want string) bool {
	return bytes.EqualFold(name, []byte(want))
}

// readBody reads the body, or its first maxText bytes.
func (r *answerReader) readBody(a *httpAnswer) (err error) {
	switch {
	case a.status < 200 || a.status == 204 || a.status == 304:
	case a.chunked:
		a.cut, err = r.chunks()
	case a.badLength != nil: // the cases above do not need the length (RFC 9112, 6.3)
		return a.badLength
	case a.length >= 0:
		a.cut = a.length > maxText
		if err = r.read(r.in, min(a.length, maxText), r.src); err != nil {
			err = r.broken(fmt.Sprintf("the body, %d of %d bytes received", len(r.text), a.length), err)
		}
	default:
		err = r.read(r.in, maxText, r.src)
		if a.cut = err == nil; r.isOver(err) {
			err = nil
		} else if err != nil {
			err = r.brokenBody(err)
		}
	}
	a.body = r.text
	return err
}

func (r *answerReader) brokenBody(err error) error {
	return r.broken(fmt.Sprintf("the body, %d bytes received", len(r.text)), err)
}

// chunks reads a chunked body. The trailer is ignored.
func (r *answerReader) chunks() (cut bool, err error) {
	for {
		size, err := r.chunkSize()
		if err != nil || size == 0 {
			return false, err
		}
		want := min(size, maxText-len(r.text))
		if err := r.read(r.in, want, r.src); err != nil {
			return false, r.brokenBody(err)
		}
		if want < size {
			return true, nil
		}
		if line, err := r.chunkLine(); err != nil {
			return false, err
		} else if len(line) > 0 {
			return false, fmt.Errorf("bad chunk: %s after its data", wire.Excerpt(line))
		}
	}
}

func (r *answerReader) chunkSize() (int, error) {
	line, err := r.chunkLine()
	if err != nil {
		return 0, err
	}
	const maxDigits = 16
	if r.extra += max(len(line)-maxDigits, 0); r.extra > maxHead {
		return 0, fmt.Errorf("chunk extensions and leading zeros are longer than %d bytes", maxHead)
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 62)
	if err != nil {
		return 0, fmt.Errorf("bad chunk size %s", wire.Excerpt(line))
	}
	return int(size), nil
}

// chunkLine reads a line between chunks, without its line break. The next call overwrites the line.
func (r *answerReader) chunkLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, fmt.Errorf("chunk header is longer than %d bytes", maxChunkLine)
	case err != nil:
		return nil, r.broken("the body, between chunks", err)
	}
	return withoutEnd(line), nil
}
