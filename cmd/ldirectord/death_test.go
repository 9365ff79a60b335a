package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// acceptsAll is a server process. It prints each connection that it accepts, and closes none.
func acceptsAll() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	kept := map[net.Conn]bool{}
	for fmt.Println("listens"); ; fmt.Println("accepted") {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		kept[c] = true
	}
}

// With watch a server whose process dies is taken out long before its next check. The lab measures the time.
func TestADeathIsSeenAtOnce(t *testing.T) {
	const servers = 5
	path := testkit.Must(exec.LookPath("accepts-all"))(t)
	config := "checkinterval = 3600\nwatch = yes\nvirtual = 10.1.0.1:80\n\tchecktype = connect\n"
	var names []string
	var running []*exec.Cmd
	var said []*bufio.Scanner
	for range servers {
		addr := testkit.FreeAddr(t).String()
		cmd := exec.Command(path, addr)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal(addr, " does not listen")
		}
		names, running, said = append(names, addr), append(running, cmd), append(said, lines)
		config += "\treal = " + addr + " masq\n"
	}
	d := unstarted(t, config)
	d.tell("start")
	t.Cleanup(func() { d.tell("stop") })
	for _, lines := range said {
		for range 2 { // the first check, and the watched connection
			lines.Scan()
		}
	}
	var took []time.Duration
	for i, cmd := range running {
		begin := time.Now()
		cmd.Process.Kill()
		entry := []byte("-r " + names[i] + " ")
		for {
			text, err := os.ReadFile(d.path("table"))
			if err == nil && len(text) > 0 && !bytes.Contains(text, entry) {
				break
			}
			if time.Since(begin) > awaitLimit {
				t.Fatalf("%s is still there:\n%s", entry, text)
			}
			time.Sleep(100 * time.Microsecond)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("out of the table after %v", took)
}
