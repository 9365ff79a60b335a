package protocol

import (
	"fmt"
	"testing"

	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

func portOf(port uint16, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(port)
}

func TestTexts(t *testing.T) {
	of := map[string]func(text string) string{
		"EPSV":    func(text string) string { return portOf(extendedPort(text)) },
		"PASV":    func(text string) string { return portOf(passivePort(text)) },
		"verb":    sqlVerb,
		"IMAP":    quoteIMAP,
		"excerpt": func(text string) string { return wire.Excerpt([]byte(text)) },
		"escape":  func(text string) string { return wire.Escape(text, 70) },
	}
	for _, row := range testkit.Table(t, "../../testdata/checker/texts.txt", 3) {
		testkit.Equal(t, of[row[0]](bare(t, row[1])), row[2], row[0], row[1])
	}
}
