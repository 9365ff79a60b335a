package parser

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/printable"
)

// This file reads the values of directives for checks.

func readCheckCount(v *value) int {
	v.warn(deprecated, "checkcount is deprecated: it is the number of tries of one ping; failurecount is the "+
		"number of failed checks")
	return number(1, 0)(v)
}

func parseWindow(text string) (Window, bool) {
	need, size, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(strings.TrimRight(need, " "), 10, 15)
	m, err2 := strconv.ParseUint(strings.TrimLeft(size, " "), 10, 15)
	return Window{int(n), int(m)}, err == nil && err2 == nil && 1 <= n && n <= m && m <= maxWindow
}

// silence is the state of a server that does not answer datagrams: true means up.
type silence bool

func parseSilence(text string) (s silence, ok bool) {
	text = unquote(text)
	return text == "up", text == "up" || text == "down"
}

func (s silence) String() string {
	if s {
		return "up"
	}
	return "down"
}

// parsePart reads a number of servers, or a percentage of them.
func parsePart(text string) (k lvs.Share, ok bool) {
	digits, percent := strings.CutSuffix(text, "%")
	n, ok := natural(digits, 0, math.MaxInt32)
	return lvs.Share{N: int32(n), Percent: percent && n > 0}, ok && (!percent || n <= 100)
}

// readRequest adds a slash to a request that does not begin with one, even to a query or a URL. Checks remove that
// slash, except from paths.
func readRequest(v *value) string { return withSlash(quoted(v)) }

func withSlash(request string) string {
	if strings.HasPrefix(request, "/") {
		return request
	}
	return "/" + request
}

func readHTTPMethod(v *value) string {
	word := v.word()
	method := strings.ToUpper(word)
	if method != "GET" && method != "HEAD" && method != "POST" {
		v.bad("is not allowed; it must be GET, HEAD or POST")
	}
	v.only(word)
	return method
}

func readVirtualHost(v *value) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(v.text, `"`), `"`)
	v.only(text)
	if text == "" {
		v.warn(noEffect, "an empty virtualhost is the same as none")
	}
	return text
}

func readLoad(v *value) string {
	text := inQuotes(v)
	word := firstRun(text, isWordByte)
	if word == "" {
		v.bad("has no word in it")
	}
	v.warn(noEffect, "load has no effect; it is only accepted for old files")
	return word
}

func readMonitorFile(v *value) string {
	path := v.withoutQuotes()
	if path == "" {
		v.refuse(monitorfileClosed, "the value is empty; it must be the path of a file")
	}
	v.try(v.opts.TryFile, path, monitorfileClosed,
		"the monitor file cannot be opened (%s); it must be a file that can be appended to")
	return path
}

// withoutFolder maps kinds of findings to what happens while the folder of the file is missing.
var withoutFolder = map[string]string{
	logfileClosed:     "until it can be, the log goes to syslog, or to standard error",
	monitorfileClosed: "until it can be, nothing is written to it",
}

// try tests access to a file, if Options allows it. format is the format of the error. Instead of refusing the value,
// try warns if the current user lacks the rights, or if a log or monitor file takes too long to open or lacks only its
// folder. In strict mode, a missing folder is an error.
func (v *value) try(open func(path string) error, path, kind, format string) {
	if open == nil || v.problem != nil {
		return
	}
	err := open(path)
	if err == nil {
		return
	}
	p := refuse(kind, format, err.Error())
	what, _, _ := strings.Cut(p.Text, ";")
	instead := withoutFolder[kind]
	if instead != "" && errors.Is(err, os.ErrDeadlineExceeded) { // clients need a director more than a log
		v.warn(kind, "%s; until it can be, nothing is written to it", what)
		return
	}
	if instead != "" && errors.Is(err, fs.ErrNotExist) {
		fix := ""
		// a path that needs escapes is left out: the command would make another folder
		if folder := filepath.Dir(path); printable.Text(folder) == folder {
			fix = "; to fix it: mkdir -p " + printable.ShellWord(folder)
		}
		if !v.opts.Strict && v.lacksOnlyFolder(path) { // otherwise the path is probably mistyped
			v.warn(kind, "%s; %s%s", what, instead, fix)
			return
		}
		p.Text += fix
	}
	if v.opts.User == nil || v.opts.User(err) == "" {
		v.problem = p
		return
	}
	v.warn(kind, "as %s, %s; root has access", v.opts.User(err), what)
}

// lacksOnlyFolder reports whether only the last folder of a path is missing.
func (v *value) lacksOnlyFolder(path string) bool {
	above := filepath.Dir(filepath.Dir(path))
	return filepath.IsAbs(path) && above != "/" && v.opts.DirExist != nil && v.opts.DirExist(above)
}

// readableFile reads the path of an existing file, with or without double quotes. The path must be absolute, because a
// command and the daemon may have different working directories.
func readableFile(v *value) string {
	path := optionallyQuoted(v)
	if !strings.HasPrefix(path, "/") {
		v.bad("is not allowed; it must be a path that begins with /")
	}
	v.try(v.opts.TryRead, path, unreadable, "the file cannot be read (%s)")
	return path
}
