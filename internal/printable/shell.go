package printable

import "strings"

// ShellWord quotes any text so that the shell reads it as one word (POSIX, Shell Command Language, 2.2.2).
func ShellWord(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
