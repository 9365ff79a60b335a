package protocol

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

var goodRedis = Spec{Type: "negotiate", Service: "redis", Protocol: "tcp", NegotiateTimeout: 5 * time.Second,
	Request: "/"}

// redisHear reads one command. It returns nil at the end of the connection.
func redisHear(c io.Reader) (words []string) {
	var count, size int
	if _, err := fmt.Fscanf(c, "*%d\r\n", &count); err != nil {
		return nil
	}
	for range count {
		fmt.Fscanf(c, "$%d\r\n", &size)
		word := make([]byte, size+2)
		io.ReadFull(c, word)
		words = append(words, string(word[:size]))
	}
	return words
}

// redisAwait reads a command of the check, and compares it.
func redisAwait(want string) step {
	return func(c *client) bool { return c.compare(strings.Join(redisHear(c.read), " "), want, nil) }
}

func TestRealRedis(t *testing.T) {
	path := needProgram(t, "redis-server", "redis-server")
	dir := serverDir(t)
	start := func(lines ...string) (Spec, int) {
		s := goodRedis
		s.Target, s.Passwd = loopback(freePort(t)), "secret"
		config := fmt.Sprintf("port %d\nbind 127.0.0.1 ::1\ndir %s\nsave \"\"\nrequirepass secret\n"+
			"masterauth secret\nuser check on >other ~* +ping\n%s\n",
			s.Target.Port(), dir, strings.Join(lines, "\n"))
		file := writeFile(t, dir, fmt.Sprintf("redis-%d.conf", s.Target.Port()), config)
		return s, realServer{path: path, args: []string{file}}.answering(t, s)
	}
	good, pid := start()
	replica, _ := start(fmt.Sprintf("replicaof 127.0.0.1 %d", good.Target.Port()))
	checkReal(t, "redis", good, "{replica}", port(replica.Target))
	checkStopped(t, pid, good, "down: timeout waiting for the answer to AUTH")
}
