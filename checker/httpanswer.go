package checker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ldirectord/checker/wire"
)

// Limits of what is read of an answer, in bytes. Of a longer body the first part decides.
const (
	maxHead      = 64 << 10 // the header, with interim answers before it
	maxBody      = 1 << 20
	maxChunkLine = 4 << 10
)

// httpAnswer is what an HTTP server said. Its parts lie in the reader's buffer.
type httpAnswer struct {
	status   int
	reason   []byte
	location string
	length   int  // of the body, -1 when the header does not tell
	chunked  bool // the body comes in chunks
	body     []byte
	cut      bool // the body has more than maxBody bytes
}

// statusLine is the status in the form of the Perl ldirectord: 200 OK.
func (a *httpAnswer) statusLine() string {
	if a.status == 200 && string(a.reason) == "OK" {
		return "200 OK"
	}
	return wire.Show(string(a.statusSaid()))
}

// statusSaid is the status as it came, with the usual words where the server has none.
func (a *httpAnswer) statusSaid() []byte {
	reason := cmp.Or(string(a.reason), http.StatusText(a.status), "Unknown code")
	return fmt.Appendf(nil, "%03d %s", a.status, reason)
}

// answerReader reads one HTTP answer (RFC 9112). Every part has a limit.
// It is our own because http.ReadResponse takes four times as long, with 15 allocations
// (BenchmarkAnswerOwn, BenchmarkAnswerNetHTTP).
type answerReader struct {
	ctx     context.Context // of the check
	src     *wire.Conn
	timeout time.Duration // of the check, for the messages
	buf     []byte
	kept    int // the decoded body ends here
	pos     int // what is read and not looked at starts here
	total   int // bytes that came from the server
	extra   int // bytes of them that are extensions of chunks

	limits *Matching
	small  *[]byte       // the pool's, which buf began as
	large  *[]byte       // the pool's, when buf is a large one
	waited time.Duration // for its turn
}

// newAnswerReader returns a reader that is to be closed.
func newAnswerReader(ctx context.Context, timeout time.Duration, limits *Matching) answerReader {
	small := answerPool.Get().(*[]byte)
	return answerReader{ctx: ctx, timeout: timeout, limits: limits, small: small, buf: (*small)[:0]}
}

// close gives back what the reader holds. No part of an answer may be looked at any more.
func (r *answerReader) close() {
	if r.large != nil {
		largePool.Put(r.large)
		releaseSlot(r.limits.bodies)
		return
	}
	r.release()
}

func (r *answerReader) release() {
	if cap(r.buf) <= largeBody {
		*r.small = r.buf
		answerPool.Put(r.small)
	}
}

// Answers are read into buffers of pools: small ones that grow, and then one for the largest answer.
const (
	smallAnswer = 4 << 10
	largeAnswer = 2*maxHead + maxBody + 2*maxChunkLine
)

var largePool = sync.Pool{New: func() any {
	buf := make([]byte, 0, largeAnswer)
	return &buf
}}

var answerPool = sync.Pool{New: func() any {
	buf := make([]byte, 0, smallAnswer)
	return &buf
}}

// reset makes the reader ready for another answer.
func (r *answerReader) reset(src *wire.Conn) {
	r.src, r.buf, r.kept, r.pos, r.total, r.extra = src, r.buf[:0], 0, 0, 0, 0
}

// fill reads more. It first moves what is not looked at down to the decoded body.
func (r *answerReader) fill() error {
	if r.pos > r.kept {
		n := copy(r.buf[r.kept:], r.buf[r.pos:])
		r.buf, r.pos = r.buf[:r.kept+n], r.kept
	}
	if len(r.buf) == cap(r.buf) {
		if err := r.grow(); err != nil {
			return err
		}
	}
	n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	r.total += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// grow enlarges the buffer. A large answer waits for its turn: only some are in memory at once.
func (r *answerReader) grow() error {
	if r.large == nil && cap(r.buf) >= largeBody {
		return r.enlarge()
	}
	r.buf = append(make([]byte, 0, 2*cap(r.buf)), r.buf...)
	return nil
}

func (r *answerReader) enlarge() error {
	waited, err := acquireSlot(r.ctx, r.limits.bodies)
	r.waited += waited
	if err != nil {
		return err
	}
	if err := r.src.Prolong(r.ctx, waited); err != nil {
		releaseSlot(r.limits.bodies)
		return err
	}
	r.large = largePool.Get().(*[]byte)
	large := append((*r.large)[:0], r.buf...)
	r.release()
	r.buf = large
	return nil
}

// longTurn is a wait for which a server may lose patience.
const longTurn = time.Second

// broken explains an error while reading one part of the answer.
func (r *answerReader) broken(part string, err error) error {
	switch {
	case errors.Is(err, errUnjudged), errors.Is(err, wire.ErrStopped):
		return err
	case r.waited > longTurn && !wire.IsTimeout(err): // a server may not wait that long
		text := fmt.Sprintf("cannot be judged: %s in %s, after it waited %v for its turn", wire.Reason(err),
			part,
			r.waited.Round(time.Millisecond))
		return wire.NewFault(text, errUnjudged)
	}
	return wire.ReadFault(part, r.total > 0, r.timeout, err)
}

// answer reads the header of the final answer.
func (r *answerReader) answer() (httpAnswer, error) {
	for {
		head, err := r.head()
		if err != nil {
			return httpAnswer{}, err
		}
		a, err := parseHead(head)
		if err != nil || a.status < 100 || a.status > 199 || a.status == 101 {
			r.kept = r.pos
			return a, err
		}
	}
}

// head reads up to the empty line after a header.
func (r *answerReader) head() ([]byte, error) {
	searched := 0
	for {
		raw := r.buf[r.pos:]
		end := headEnd(raw, searched)
		if end > 0 && end <= maxHead {
			r.pos += end
			return raw[:end], nil
		}
		if !bytes.HasPrefix(raw, httpMark[:min(len(raw), len(httpMark))]) {
			return nil, notHTTP(raw)
		}
		if r.total > maxHead || end > 0 {
			return nil, fmt.Errorf("header is longer than %d bytes", maxHead)
		}
		searched = max(len(raw)-3, 0)
		if err := r.fill(); err != nil {
			return nil, r.broken("the header", err)
		}
	}
}

var httpMark = []byte("HTTP/")

func notHTTP(said []byte) error {
	if len(said) > 1 && (said[0] == 0x15 || said[0] == 0x16) && said[1] == 3 {
		return errors.New("not HTTP: the port speaks TLS")
	}
	return fmt.Errorf("not HTTP: %s", wire.Excerpt(said))
}

// headEnd returns the length of a header with its empty line, or 0. Lines end with LF or CR LF.
func headEnd(raw []byte, from int) int {
	for {
		i := bytes.IndexByte(raw[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		switch rest := raw[from:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// parseHead reads a status line and the header fields that matter to a check.
func parseHead(head []byte) (httpAnswer, error) {
	a := httpAnswer{length: -1}
	line, head := cutLine(head)
	if err := a.parseStatus(line); err != nil {
		return a, err
	}
	for len(head) > 0 {
		line, head = cutLine(head)
		for folds := 0; len(head) > 0 && (head[0] == ' ' || head[0] == '\t'); folds++ { // (RFC 9112, 5.2)
			var more []byte
			more, head = cutLine(head)
			if folds == 0 {
				line = bytes.Clone(line)
			}
			line = append(append(line, ' '), bytes.TrimLeft(more, " \t")...)
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		if err := a.parseField(name, bytes.Trim(value, " \t")); err != nil {
			return a, err
		}
	}
	return a, nil
}

func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// parseStatus reads "HTTP/1.1 200 OK". The reason may be missing.
func (a *httpAnswer) parseStatus(line []byte) error {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, reason, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if !bytes.HasPrefix(version, httpMark) {
		return notHTTP(line)
	}
	a.reason = reason
	status, err := strconv.ParseUint(string(code), 10, 16)
	if err != nil || len(code) != 3 {
		return fmt.Errorf("bad status line %s", wire.Excerpt(line))
	}
	a.status = int(status)
	return nil
}

func (a *httpAnswer) parseField(name, value []byte) error {
	switch {
	case fieldIs(name, "content-length"):
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || a.length >= 0 && a.length != int(n) {
			return fmt.Errorf("bad Content-Length %s", wire.Excerpt(value))
		}
		a.length = int(n)
	case fieldIs(name, "transfer-encoding"):
		last := value[bytes.LastIndexByte(value, ',')+1:]
		a.chunked = fieldIs(bytes.Trim(last, " \t"), "chunked")
	case fieldIs(name, "location") && a.location == "":
		a.location = string(value)
	}
	return nil
}

// fieldIs compares without regard to case.
func fieldIs(name []byte, want string) bool {
	return bytes.EqualFold(name, []byte(want))
}

// body reads the body, or its first maxBody bytes, and reports whether it has more.
func (r *answerReader) body(a *httpAnswer) (body []byte, cut bool, err error) {
	switch {
	case a.status < 200 || a.status == 204 || a.status == 304:
		return nil, false, nil
	case a.chunked:
		return r.chunks()
	case a.length >= 0:
		return r.counted(a.length)
	}
	return r.untilClosed()
}

func (r *answerReader) counted(length int) (body []byte, cut bool, err error) {
	begin, want := r.pos, min(length, maxBody)
	for len(r.buf) < begin+want {
		if err := r.fill(); err != nil {
			part := fmt.Sprintf("the body, %d of %d bytes came", len(r.buf)-begin, length)
			return nil, false, r.broken(part, err)
		}
	}
	return r.buf[begin : begin+want], want < length, nil
}

func (r *answerReader) untilClosed() (body []byte, cut bool, err error) {
	begin := r.pos
	for len(r.buf) < begin+maxBody {
		err := r.fill()
		if err == io.EOF {
			return r.buf[begin:], false, nil
		}
		if err != nil {
			return nil, false, r.broken(fmt.Sprintf("the body, %d bytes came", len(r.buf)-begin), err)
		}
	}
	return r.buf[begin : begin+maxBody], true, nil
}

// chunks decodes a chunked body in place: it moves the data of each chunk down to the end of the
// body. The trailer is of no interest.
func (r *answerReader) chunks() (body []byte, cut bool, err error) {
	begin := r.pos
	for {
		size, err := r.chunkSize()
		if err != nil {
			return nil, false, err
		}
		if size == 0 {
			return r.buf[begin:r.kept], false, nil
		}
		for size > 0 {
			if r.kept-begin == maxBody {
				return r.buf[begin:r.kept], true, nil
			}
			if r.pos == len(r.buf) {
				if err := r.fill(); err != nil {
					return nil, false,
						r.broken(fmt.Sprintf("the body, %d bytes came", r.kept-begin), err)
				}
			}
			n := min(size, len(r.buf)-r.pos, begin+maxBody-r.kept)
			copy(r.buf[r.kept:], r.buf[r.pos:r.pos+n])
			r.kept, r.pos, size = r.kept+n, r.pos+n, size-n
		}
		if line, err := r.chunkLine(); err != nil {
			return nil, false, err
		} else if len(line) > 0 {
			return nil, false, fmt.Errorf("bad chunk: %s after its data", wire.Excerpt(line))
		}
	}
}

func (r *answerReader) chunkSize() (int, error) {
	line, err := r.chunkLine()
	if err != nil {
		return 0, err
	}
	digits, extension, _ := bytes.Cut(line, []byte(";"))
	if r.extra += len(extension); r.extra > maxHead {
		return 0, fmt.Errorf("extensions of chunks are longer than %d bytes", maxHead)
	}
	size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 62)
	if err != nil {
		return 0, fmt.Errorf("bad chunk size %s", wire.Excerpt(line))
	}
	return int(size), nil
}

func (r *answerReader) chunkLine() ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.pos:], '\n'); i >= 0 {
			line := r.buf[r.pos : r.pos+i]
			r.pos += i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		if len(r.buf)-r.pos > maxChunkLine {
			return nil, fmt.Errorf("chunk header is longer than %d bytes", maxChunkLine)
		}
		if err := r.fill(); err != nil {
			return nil, r.broken("the body, between chunks", err)
		}
	}
}
