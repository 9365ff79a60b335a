package protocol

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TLS 1.2 reports the end of the connection together with the last bytes of a body: the body is complete all the
// same.
func TestABodyThatComesWithItsEndIsWhole(t *testing.T) {
	const size = 16 << 10
	for missing, want := range []error{nil, io.EOF} {
		b := beginning{ctx: t.Context(), limits: NewMatching()}
		from := iotest.DataErrReader(strings.NewReader(strings.Repeat("x", size)))
		if err := b.read(from, size+missing); err != want || len(b.text) != size {
			t.Errorf("%d bytes are missing: %v after %d bytes, want %v", missing, err, len(b.text), want)
		}
		b.close()
	}
}
