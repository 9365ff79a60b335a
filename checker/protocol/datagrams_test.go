package protocol

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// The files of testdata/checker/datagrams are as those of dialogues, with answers in place of steps.
func TestDatagrams(t *testing.T) {
	for _, path := range testkit.Files(t, "../../testdata/checker/datagrams/*.txt") {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			d := newDialogues(t, path)
			var cases []datagramCase
			for _, row := range d.cases(strings.NewReplacer()) {
				s := Spec{Service: strings.TrimSuffix(file, ".txt"), Protocol: "udp"}
				apply(t, &s, row[1])
				cases = append(cases, datagramCase{row[0], s, d.datagrams(row[2]), row[3]})
			}
			checkEach(t, cases, serveDatagrams)
		})
	}
}

// datagrams are the answers of a server by their words, nil of a closed port. After "lost" the first packet has none.
func (d dialogues) datagrams(cell string) datagrams {
	if cell == "closed" {
		return nil
	}
	cell, isLost := strings.CutPrefix(cell, "lost; ")
	var all []datagrams
	for text := range strings.SplitSeq(cell, "; ") {
		if text != "" {
			all = append(all, d.datagram(text))
		}
	}
	answer := func(n int, packet []byte, from net.Addr) (said []string) {
		for _, of := range all {
			said = append(said, of(n, packet, from)...)
		}
		return said
	}
	if isLost {
		return afterLoss(answer)
	}
	return answer
}

// datagram is an answer by its words. A text that is none of them is the answer.
func (d dialogues) datagram(text string) datagrams {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "echo":
		return func(_ int, packet []byte, _ net.Addr) []string { return []string{string(packet)} }
	case "once":
		return func(n int, _ []byte, _ net.Addr) []string { return []string{rest}[min(n, 1):] }
	case "to":
		packet, says, _ := strings.Cut(rest, " ")
		return answerTo(bare(d.t, packet), bare(d.t, says))
	case "much":
		return replies(strings.Repeat(bare(d.t, rest), 60000))
	case "dns":
		return zoneOf(rest).udp
	case "radius":
		return radiusAnswer(d.t, rest)
	case "forged":
		return func(_ int, packet []byte, _ net.Addr) []string {
			return []string{"\x02" + string(packet[1:2]) + "\x00\x14" + strings.Repeat("x", 16)}
		}
	case "sip":
		return sipAnswer(bare(d.t, rest))
	}
	return replies(bare(d.t, text))
}

// answerTo answers one packet only.
func answerTo(packet, says string) datagrams {
	return func(_ int, got []byte, _ net.Addr) []string {
		if string(got) != packet {
			return nil
		}
		return []string{says}
	}
}
