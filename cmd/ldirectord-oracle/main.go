// Command ldirectord-oracle checks an Oracle database once. ldirectord runs it for service = oracle. It is a program of
// its own because Oracle's driver is as large as ldirectord itself.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"

	"ldirectord/checker/oracle"
)

// version is set by the linker.
var version = "unknown"

func main() {
	if len(os.Args) > 1 {
		fmt.Println(oracle.Program, version+": ldirectord runs it for service = oracle, see ldirectord.cf(5)")
		return
	}
	if err := answer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// answer reads the question, makes the check and prints the answer. An error means a problem on this machine, not on
// the server.
func answer() error {
	var q oracle.Question
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		return fmt.Errorf("reading the question: %w", err)
	}
	sockets, err := inherited()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(check(q, sockets)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}

// inherited returns the sockets that this process inherited from ldirectord. When asked on a socket, ldirectord opens a
// connection to the server, and relays data between the two.
func inherited() ([]net.Conn, error) {
	var sockets []net.Conn
	for i := range oracle.Sockets {
		file := os.NewFile(uintptr(oracle.FirstSocket+i), "socket")
		socket, err := net.FileConn(file)
		if err != nil {
			return nil, fmt.Errorf("a socket from ldirectord: %w", err)
		}
		file.Close()
		sockets = append(sockets, socket)
	}
	return sockets, nil
}
