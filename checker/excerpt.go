package checker

import (
	"strconv"

	"ldirectord/printable"
)

// maxExcerpt bounds what is shown of a server's words, in bytes.
const maxExcerpt = 60

// excerpt quotes the beginning of what a server sent, with everything escaped that is not printable.
func excerpt(said []byte) string {
	start, more := printable.Cut(string(said[:min(len(said), maxExcerpt+1)]), maxExcerpt)
	return strconv.Quote(start) + more
}

// escape makes text safe for a log line, and cuts it to limit bytes before that.
func escape(text string, limit int) string {
	start, more := printable.Cut(text, limit)
	return printable.Text(start) + more
}

// show makes what a server said safe for a message.
func show(said string) string { return escape(said, maxExcerpt) }
