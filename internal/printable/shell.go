package printable

import "strings"

// bare are the characters that mean themselves to every shell.
const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-"

// ShellWord quotes a text unless every shell reads it as one word that means itself (POSIX, Shell Command Language,
// 2.2.2).
func ShellWord(text string) string {
	if text != "" && strings.Trim(text, bare) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// ShellLine returns a command line that the shell reads as these words.
func ShellLine(words ...string) string {
	line := ""
	for _, word := range words {
		line += " " + ShellWord(word)
	}
	return strings.TrimPrefix(line, " ")
}
