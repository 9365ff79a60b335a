package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"ldirectord/internal/printable"
)

// output prints the answer and the errors of a command.
type output struct {
	out            printable.Writer // the answer of a command, for stdout
	raw            *bufio.Writer    // the same without escapes, for JSON and scripts
	stdout, stderr io.Writer
	answer         map[string]any // with --json; nil without it, and for commands with a form of their own
}

// printJSON prints a value as JSON.
func (o *output) printJSON(value any) {
	e := json.NewEncoder(jsonWriter{o.raw})
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(value) // o.raw remembers an error itself
}

// jsonWriter escapes characters that encoding/json leaves as they are but that a terminal may obey, such as eight-bit
// control characters.
type jsonWriter struct{ to *bufio.Writer }

func (w jsonWriter) Write(text []byte) (int, error) {
	for _, r := range string(text) {
		if r > '~' && r <= 0xffff && !unicode.IsPrint(r) {
			fmt.Fprintf(w.to, `\u%04x`, r)
		} else {
			w.to.WriteRune(r) // the writer remembers an error
		}
	}
	return len(text), nil
}

// asLine turns any text into a single line. It separates joined errors with ";".
func asLine(text string) string { return printable.Text(strings.ReplaceAll(text, "\n", "; ")) + "\n" }

// flush writes the answer so far. An error is kept and reported when the command ends.
func (o *output) flush() { _ = o.out.Flush() }

// say prints a line to standard error after flushing the answer so far.
func (o *output) say(format string, args ...any) {
	o.flush()
	io.WriteString(o.stderr, asLine(fmt.Sprintf(format, args...)))
}

// tell prints a line of the answer.
func (o *output) tell(format string, args ...any) {
	io.WriteString(o.out, asLine(fmt.Sprintf(format, args...)))
}

// table is a table in the answer. Flush prints it.
type table struct{ *tabwriter.Writer }

func (o *output) newTable(heads ...string) table {
	t := table{tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)}
	t.row(heads...)
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = printable.Text(cell)
	}
	fmt.Fprintln(t, strings.Join(cells, "\t"))
}

// warn is like say, but begins the line with the program's name.
func (o *output) warn(format string, args ...any) {
	o.say("ldirectord: "+format, args...)
}

// sayNow prints a line that begins with the current time.
func (o *output) sayNow(line string) {
	o.tell("%s %s", time.Now().Format(time.DateTime), line)
	o.flush()
}

// note prints a remark as a line that begins with #. With --json it adds the remark to the notes of the answer.
func (o *output) note(format string, args ...any) {
	if o.answer == nil {
		o.tell("# "+format, args...)
		return
	}
	notes, _ := o.answer["notes"].([]string)
	o.answer["notes"] = append(notes, fmt.Sprintf(format, args...))
}

// complain prints an error, if there is one, and returns the exit status.
func (o *output) complain(err error) int {
	if err != nil && err.Error() != "" {
		o.warn("%v", err)
	}
	return statusFor(err)
}

func statusFor(err error) int {
	if e, ok := errors.AsType[exit](err); ok {
		return e.status
	}
	if err != nil {
		return exitFailure
	}
	return exitOK
}

// conclude prints the JSON that most commands share: ok, exit, error, the file's diagnostics, and the command's own
// fields.
func (o *output) conclude(err error) {
	status := statusFor(err)
	if status != exitOK && err.Error() != "" {
		o.answer["error"] = err.Error()
	}
	o.answer["ok"], o.answer["exit"] = status == exitOK, status
	o.printJSON(o.answer)
}
