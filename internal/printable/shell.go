package printable

import "strings"

// bare are the characters that mean themselves to every shell.
const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-"

// ShellWord puts a text in single quotes (POSIX, Shell Command Language, 2.2.2), unless every shell reads it literally,
// as one word, without them.
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
