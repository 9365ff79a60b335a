package protocol

import (
	"errors"
	"fmt"
	"io"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"ldirectord/checker/wire"
)

// maxLDAP limits a directory's answers, in bytes. The check requests only the name of an entry. The limit is low
// because a packet of two bytes takes a few hundred bytes of memory.
const maxLDAP = 64 << 10

// maxNesting limits how deeply packets are nested, because the library keeps another copy of a packet's bytes in every
// packet that encloses it. An answer has 6 levels.
const maxNesting = 16

func init() { ber.MaxNestingDepth = maxNesting }

// ldapTalk logs in to a directory (RFC 4511) and requests one entry by name. The name in the answer must match.
func ldapTalk(d *dialogue) (string, error) {
	if d.Offered != nil {
		if err := secureLDAP(d); err != nil {
			return "", wire.AtTLS.Of(err)
		}
	}
	name, err := askLDAP(d, wire.NewLibConn(&d.Dialogue, maxLDAP, ldapHeader, ldapLength))
	if err != nil {
		return "", err
	}
	return "entry " + wire.Excerpt(name), d.want("the entry's name", []byte(name))
}

// askLDAP logs in, looks for the entry and logs out. It returns the entry's name as the server
// writes it.
func askLDAP(d *dialogue, stream *wire.LibConn) (name string, err error) {
	l := ldap.NewConn(stream, false)
	l.Start()
	defer l.Close()
	defer l.Unbind()
	if d.Login == "" || d.Passwd == "" { // with only one of them the Perl ldirectord is anonymous
		err = l.UnauthenticatedBind("")
	} else {
		err = l.Bind(d.Login, d.Passwd)
	}
	if err != nil {
		return "", stream.Fault(wire.LoginStep, ldapRefusal(err))
	}
	base := strings.TrimPrefix(d.asks, "/")
	if name, err = ldapSearch(l, base); err != nil {
		err = stream.Fault(wire.LibStep{Stage: wire.AtAnswer, Name: "search",
			Refused: "search of " + wire.Excerpt(base)}, err)
	}
	return name, err
}

func ldapSearch(l *ldap.Conn, base string) (name string, err error) {
	found, err := l.Search(&ldap.SearchRequest{
		BaseDN:       base,
		Scope:        ldap.ScopeBaseObject,
		DerefAliases: ldap.DerefFindingBaseObj, // as in the Perl ldirectord
		Filter:       "(objectClass=*)",
		Attributes:   []string{"1.1"}, // none (RFC 4511, 4.5.1.8)
	})
	if err != nil {
		return "", ldapRefusal(err)
	}
	switch n := len(found.Entries); n {
	case 0:
		return "", &wire.Refusal{Text: "no entry"}
	case 1:
		return found.Entries[0].DN, nil
	default:
		return "", &wire.Refusal{Text: fmt.Sprintf("%d entries", n)}
	}
}

// ldapHeader is how many bytes are needed to read the length of a message. No answer is shorter.
const ldapHeader = 6

// ldapLength returns how many bytes of a message follow its header. The message must be a sequence in the definite form
// (RFC 4511, 5.1; X.690, 8.1.3).
func ldapLength(header []byte) (int, error) {
	length, size := int(header[1]), 0
	if length >= 0x80 {
		size, length = length-0x80, 0
		for _, b := range header[2 : 2+min(size, ldapHeader-2)] {
			length = length<<8 | int(b)
		}
	}
	left := 2 + size + length - ldapHeader
	if header[0] != 0x30 || header[1] == 0x80 || size > ldapHeader-2 || left < 0 {
		return 0, errNotLDAP
	}
	return left, nil
}

var errNotLDAP = errors.New("this is not LDAP")

// ldapRefusal returns the name of the result that a directory sent (RFC 4511, appendix A), with the directory's own
// text. For any other error it returns errNotLDAP. Then either LibConn has kept a network error, or the library could
// not read an answer. In the latter case the library's text depends on timing, because its reader closes the
// connection, perhaps before the next request.
func ldapRefusal(err error) error {
	var refusal *ldap.Error
	if !errors.As(err, &refusal) || isOfLibrary(refusal.ResultCode) {
		return errNotLDAP
	}
	text := strings.ToLower(ldap.LDAPResultCodeMap[refusal.ResultCode])
	if text == "" {
		text = fmt.Sprintf("result %d", refusal.ResultCode)
	}
	if refusal.Err != nil && refusal.Err.Error() != "" {
		text += ": " + refusal.Err.Error()
	}
	return &wire.Refusal{Text: text}
}

// isOfLibrary reports whether the library uses a result code for errors of its own.
func isOfLibrary(code uint16) bool {
	return code == 0 || code >= ldap.ErrorNetwork && code <= ldap.ErrorMalformedPacket
}

// startTLSRequest is the extended request 1.3.6.1.4.1.1466.20037 with the message number 1 (RFC 4511,
// 4.14.1).
const startTLSRequest = "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"

// maxStartTLS limits the answer to startTLSRequest, in bytes.
const maxStartTLS = 4 << 10

// secureLDAP requests TLS and starts it. (The library's own StartTLS reads in a goroutine, and may accept data sent in
// the clear.)
func secureLDAP(d *dialogue) error {
	server := wire.NewLibConn(&d.Dialogue, maxStartTLS, ldapHeader, ldapLength)
	_, err := io.WriteString(server, startTLSRequest)
	if err == nil {
		err = server.Next()
	}
	answer := append(server.Header, make([]byte, server.Left)...)
	if err == nil {
		_, err = io.ReadFull(d.In, answer[ldapHeader:])
	}
	if err != nil {
		return wire.StageFault("STARTTLS", err)
	}
	if err := judgeStartTLS(answer); err != nil {
		return err
	}
	return d.Upgrade()
}

// judgeStartTLS returns nil for success, or the directory's reason for a refusal.
func judgeStartTLS(answer []byte) error {
	packet, err := ber.DecodePacketErr(answer)
	if err != nil || len(packet.Children) < 2 || packet.Children[1].Tag != ldap.ApplicationExtendedResponse {
		return fmt.Errorf("STARTTLS: %w: got %s", errNotLDAP, wire.Excerpt(answer))
	}
	if err := ldap.GetLDAPError(packet); err != nil {
		return fmt.Errorf("%w: %w", wire.ErrNotOffered, ldapRefusal(err))
	}
	return nil
}
