package protocol

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"ldirectord/checker/wire"
)

// redis logs in to a Redis server, if login or passwd is set, and pings it. If receive is set, the server's replication
// role must match, for example role:master.
func redis(d *dialogue) (string, error) {
	defer d.Send("QUIT", redisCommand("QUIT"))
	if err := logInRedis(d); err != nil {
		return "", wire.AtLogin.Of(err)
	}
	pong, err := d.askRedis("PING refused", "PING")
	if err == nil && pong != "PONG" {
		err = fmt.Errorf("the answer to PING is %s", wire.Excerpt(pong))
	}
	if err != nil || d.receive.pattern == "" {
		return wire.Show(pong), err
	}
	info, err := d.askRedis("INFO refused", "INFO", "replication")
	if err != nil {
		return "", err
	}
	role := strings.TrimRight(redisRole.FindString(info), "\r")
	return wire.Show(role), d.want("the role", []byte(role))
}

// redisRole matches the line with the role.
var redisRole = regexp.MustCompile(`(?m)^role:.*$`)

func logInRedis(d *dialogue) (err error) {
	switch {
	case d.Login != "":
		_, err = d.askRedis("login rejected", "AUTH", d.Login, d.Passwd)
	case d.Passwd != "":
		_, err = d.askRedis("login rejected", "AUTH", d.Passwd)
	}
	return err
}

// redisCommand returns a command as the RESP specification defines it, without its last line break.
func redisCommand(words ...string) string {
	command := fmt.Sprintf("*%d", len(words))
	for _, word := range words {
		command += fmt.Sprintf("\r\n$%d\r\n%s", len(word), word)
	}
	return command
}

// askRedis sends a command and reads its reply: a line, or a bulk string. If the server reports an error, the returned
// error begins with the argument refused.
func (d *dialogue) askRedis(refused string, words ...string) (string, error) {
	line, err := d.Request(words[0], redisCommand(words...))
	if err != nil {
		return "", err
	}
	switch kind, text := line[:min(1, len(line))], line[min(1, len(line)):]; kind {
	case "+":
		return text, nil
	case "-":
		return "", fmt.Errorf("%s: %s", refused, wire.Escape(text, 4*wire.MaxExcerpt))
	case "$":
		if n, err := strconv.ParseUint(text, 10, 31); err == nil {
			return d.bulk(words[0], int(n))
		}
	}
	return "", d.NotProtocol("Redis", line)
}

// bulk reads a string of the given length.
func (d *dialogue) bulk(command string, length int) (string, error) {
	if length > wire.MaxTalk {
		return "", fmt.Errorf("the answer to %s is too long", command)
	}
	text := make([]byte, length+len("\r\n"))
	if _, err := io.ReadFull(d.In, text); err != nil {
		return "", wire.AwaitFault("the answer to "+command, true, err)
	}
	return string(text[:length]), nil
}
