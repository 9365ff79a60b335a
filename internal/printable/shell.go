package printable

import "strings"

// ShellWord makes one word of the shell of any text (POSIX, Shell Command Language, 2.2.2).
func ShellWord(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
