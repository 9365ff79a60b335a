// Command ldirectord-import converts the virtual servers of a keepalived.conf into an ldirectord.cf.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"ldirectord/internal/keepalived"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
)

// version is set by the linker.
var version = "unknown"

// The exit statuses.
const (
	missing = 1 // a line has no equivalent, or only a similar one
	failed  = 2 // the file can't be read or parsed, or the result can't be written
)

func main() {
	host, _ := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	id := flag.String("i", host, "the `ID` that words after @ are compared with")
	out := flag.String("o", "", "the `FILE` to write instead of standard output")
	showVersion := flag.Bool("version", false, "print the version")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Usage: ldirectord-import [-i ID] [-o FILE] KEEPALIVED.CONF")
		flag.PrintDefaults()
	}
	switch flag.Parse(); {
	case *showVersion:
		fmt.Println("ldirectord-import", version)
	case flag.NArg() != 1:
		flag.Usage()
		os.Exit(failed)
	default:
		os.Exit(run(flag.Arg(0), *id, *out))
	}
}

// run converts a file, and returns the exit status.
func run(path, id, out string) int {
	text, lines, err := keepalived.Convert(path, id)
	if err == nil && out != "" {
		err = runfile.Save(out, []byte(text), 0o644)
	} else if err == nil {
		_, err = fmt.Print(text)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "ldirectord-import:", printable.Text(err.Error()))
		return failed
	case lines > 0:
		fmt.Fprintf(os.Stderr, "ldirectord-import: lines without an equivalent, or with only a similar one: "+
			"%d; comments name them\n", lines)
		return missing
	}
	return 0
}
