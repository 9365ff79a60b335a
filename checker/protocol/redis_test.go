package protocol

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

var goodRedis = Spec{Type: "negotiate", Service: "redis", Protocol: "tcp", NegotiateTimeout: 5 * time.Second,
	Request: "/"}

var redisInfo = redisBulk("# Replication\r\nrole:master\r\nconnected_slaves:0\r\n")

func redisBulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

// redisServer sends the same answer to each command of a name.
func redisServer(answers map[string]string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		for {
			words := redisHear(c)
			if words == nil {
				return
			}
			s.keep(strings.Join(words, " "))
			io.WriteString(c, answers[words[0]])
		}
	}
}

// redisHear reads one command. It returns nil at the end of the connection.
func redisHear(c net.Conn) (words []string) {
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

func TestRedis(t *testing.T) {
	pong := redisServer(map[string]string{"PING": "+PONG\r\n", "AUTH": "+OK\r\n", "INFO": redisInfo,
		"QUIT": "+OK\r\n"})
	says := func(command, answer string) func(*testServer, net.Conn) {
		return redisServer(map[string]string{"PING": "+PONG\r\n", "AUTH": "+OK\r\n", "QUIT": "+OK\r\n",
			command: answer})
	}
	login := passwdOf("secret")
	role := receiving("role:master")
	checkScenes(t, goodRedis, []scene{
		{"good", pong, nil, "up: PONG"},
		{"good login", pong, login, "up: PONG"},
		{"good role", pong, role, "up: role:master"},
		{"wrong role", says("INFO", redisBulk("role:slave\r\n")), role,
			`down: the role does not match /role:master/: got "role:slave"`},
		{"no role", says("INFO", redisBulk("")), role, `down: the role does not match /role:master/: got ""`},
		{"wrong password", says("AUTH", "-WRONGPASS invalid\x1b pair\r\n"), login,
			`down: login rejected: WRONGPASS invalid\x1b pair`},
		{"password wanted", says("PING", "-NOAUTH Authentication required.\r\n"), nil,
			"down: PING refused: NOAUTH Authentication required."},
		{"loading", says("PING", "-LOADING Redis is loading the dataset in memory\r\n"), nil,
			"down: PING refused: LOADING Redis is loading the dataset in memory"},
		{"wrong answer", says("PING", "+QUEUED\r\n"), nil, `down: the answer to PING is "QUEUED"`},
		{"info not allowed", says("INFO", "-NOPERM no\r\n"), role, "down: INFO refused: NOPERM no"},
		{"closed at once", closing, nil, "down: connection closed waiting for the answer to PING"},
		{"silent in the answer", says("INFO", redisInfo[:20]), func(s *Spec) { role(s); soon(s) },
			"down: timeout in the answer to INFO"},
		{"slow drip", trickle(strings.Repeat("+", 100)), soon, "down: timeout in the answer to PING"},
		{"another protocol", heedless("220 mail.example.org ESMTP\r\n"), nil,
			`down: not Redis: "220 mail.example.org ESMTP"`},
		{"empty line", heedless("\n"), nil, `down: not Redis: ""`},
		{"line forever", func(_ *testServer, c net.Conn) { chatter(c, []byte("++++++++")) }, nil,
			"down: a line of more than 4096 bytes in the answer to PING"},
		{"huge string", says("INFO", "$2000000000\r\n"), role, "down: the answer to INFO is too long"},
		{"string of no length", says("INFO", "$-1\r\n"), role, `down: not Redis: "$-1"`},
	})
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
		return s, realServer{path: path, args: []string{file}, ready: answers(build(t, s, nil))}.start(t)
	}
	good, pid := start()
	replica, _ := start(fmt.Sprintf("replicaof 127.0.0.1 %d", good.Target.Port()))
	checkReal(t, "redis", good, "{replica}", port(replica.Target))
	checkStopped(t, pid, good, "down: timeout waiting for the answer to AUTH")
}
