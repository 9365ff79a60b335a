package main

import (
	"os"
	"testing"

	"ldirectord/internal/testkit"
)

// TestKernelDemo plays the demo on the kernel's table. This machine is the client too.
func TestKernelDemo(t *testing.T) {
	if err := kernelReady(); err != nil {
		if os.Getenv("IPVS_TESTS") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	d := play(t, options{daemon: buildDaemon(t), config: "../../examples/demo.cf", ipvs: "kernel"})
	d.answers("web1 6, web2 12, web3 6")
	d.steps()
	d.typeIn("quit")
	d.end()
	testkit.Equal(t, testkit.Must(kernelTable(d.virtual))(t), "", "left in the table")
}
