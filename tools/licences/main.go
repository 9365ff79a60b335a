// Command licences collects the licences of all modules in the binaries, from the module cache, for the packages. It
// fails where a module has none, or one that forbids distribution.
//
//	licences [-C FOLDER] [-arch ARCH] PACKAGE…
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	folder := flag.String("C", ".", "the `folder` of the module that has the packages")
	arch := flag.String("arch", runtime.GOARCH, "the processor that the binaries are for")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: licences [-C FOLDER] [-arch ARCH] PACKAGE…")
		os.Exit(2)
	}
	modules, err := linked(*folder, *arch, flag.Args()...)
	if err == nil {
		err = check(modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
	os.Stdout.WriteString(plain(modules))
}
