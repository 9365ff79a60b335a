package checker

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ldirectord/checker/wire"
)

const scramSHA256 = "SCRAM-SHA-256"

// maxScramRounds bounds the work that a server may ask for: PostgreSQL's default is 4096 rounds,
// and this many cost some hundred milliseconds.
const maxScramRounds = 1 << 20

// scramKeys are what a password becomes by a salt and a number of rounds. That is nearly all that a
// log-in costs, and a server keeps both: they are worked out once.
type scramKeys struct {
	salt           []byte
	rounds         int
	client, server []byte
}

// of works the keys out.
func (k *scramKeys) of(passwd string, salt []byte, rounds int) error {
	if k.rounds == rounds && bytes.Equal(k.salt, salt) {
		return nil
	}
	salted, err := pbkdf2.Key(sha256.New, passwd, salt, rounds, sha256.Size)
	if err != nil {
		return err
	}
	*k = scramKeys{salt, rounds, hmacSHA256(salted, "Client Key"), hmacSHA256(salted, "Server Key")}
	return nil
}

// scramLogin is one log-in by SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. The
// password is taken as the bytes that the configuration has, without SASLprep.
type scramLogin struct {
	keys   *scramKeys
	passwd string
	nonce  string
	said   string // all that both sides have said, as it is signed
}

// scramPlain says that the client does not support channel binding.
const scramPlain = "n,,"

// first returns the first message. The name is empty: the one that started the session counts.
func (l *scramLogin) first(mechanisms []string) ([]byte, error) {
	if !slices.Contains(mechanisms, scramSHA256) {
		return nil, fmt.Errorf("the server wants one of %s", wire.Show(strings.Join(mechanisms, ", ")))
	}
	l.nonce = rand.Text()
	l.said = "n=,r=" + l.nonce
	return []byte(scramPlain + l.said), nil
}

var errScram = errors.New("the server's SCRAM message makes no sense")

// final answers the server's first message with the proof that we know the password.
func (l *scramLogin) final(challenge []byte) ([]byte, error) {
	parts := strings.Split(string(challenge), ",")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "r="+l.nonce) || l.nonce == "" {
		return nil, errScram
	}
	salt, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(parts[1], "s="))
	if err != nil {
		return nil, errScram
	}
	rounds, err := strconv.Atoi(strings.TrimPrefix(parts[2], "i="))
	if err != nil || rounds < 1 || rounds > maxScramRounds {
		return nil, errScram
	}
	if err := l.keys.of(l.passwd, salt, rounds); err != nil {
		return nil, err
	}
	last := "c=" + base64.StdEncoding.EncodeToString([]byte(scramPlain)) + "," + parts[0]
	l.said += "," + string(challenge) + "," + last
	stored := sha256.Sum256(l.keys.client)
	proof := hmacSHA256(stored[:], l.said)
	for i, b := range l.keys.client {
		proof[i] ^= b
	}
	return []byte(last + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// verify looks at the server's proof that it knows the password, too.
func (l *scramLogin) verify(answer []byte) error {
	want := "v=" + base64.StdEncoding.EncodeToString(hmacSHA256(l.keys.server, l.said))
	if !hmac.Equal(answer, []byte(want)) {
		return errors.New("the server does not know the password")
	}
	return nil
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
