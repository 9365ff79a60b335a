package protocol

import (
	"errors"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"
)

const scramSHA256 = "SCRAM-SHA-256"

const (
	// maxScramRounds limits the work that a server may demand. maxScramRounds rounds take a few hundred
	// milliseconds. PostgreSQL's default is 4096.
	maxScramRounds = 1 << 20
	// maxScramMessage limits a server's message, in bytes. PostgreSQL's messages have about 100 bytes.
	maxScramMessage = 4 << 10
	// maxScramLogins is how many log-ins may share kept keys. Without this limit, more and more keys would be kept
	// if a server sent a new salt each time.
	maxScramLogins = 100
)

// scramClient makes log-ins by SCRAM-SHA-256 (RFC 7677), without channel binding. It keeps the keys that it derived
// from the password with each salt and number of rounds. Deriving them is nearly the whole cost of a log-in, and a
// server usually sends the same salt and number of rounds.
type scramClient struct {
	*scram.Client
	left int // log-ins before the keys are forgotten
}

// logIn begins a log-in. The name is empty, because the server uses the name from the start of the session.
func (c *scramClient) logIn(passwd string) scramLogin {
	if c.left--; c.left < 0 {
		// Like libpq, use the password unchanged if SASLprep refuses it.
		if prepared, err := stringprep.SASLprep.Prepare(passwd); err == nil {
			passwd = prepared
		}
		c.Client, _ = scram.SHA256.NewClientUnprepped("", passwd, "") // it never fails
		c.left = maxScramLogins
	}
	l := scramLogin{ClientConversation: c.WithMinIterations(1).NewConversation()}
	l.first, _ = l.Step("") // it never fails
	return l
}

// scramLogin is one log-in.
type scramLogin struct {
	*scram.ClientConversation
	first string // the first message
}

var errScram = errors.New("the server's SCRAM message is invalid or exceeds a limit")

// answer answers a message of the server. The answer to the first message proves that we know the password. A message
// longer than maxScramMessage is refused, because its salt would be kept.
func (l scramLogin) answer(message []byte) ([]byte, error) {
	if len(message) > maxScramMessage {
		return nil, errScram
	}
	if parts := strings.Split(string(message), ","); len(parts) > 2 {
		rounds, err := strconv.Atoi(strings.TrimPrefix(parts[2], "i="))
		if err != nil || rounds > maxScramRounds {
			return nil, errScram
		}
	}
	answer, err := l.Step(string(message))
	if err != nil {
		return nil, errScram
	}
	return []byte(answer), nil
}
