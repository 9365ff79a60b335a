package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker/protocol"
	"ldirectord/checker/settings"
	"ldirectord/internal/docs"
	"ldirectord/internal/testkit"
)

// writtenRow is a row of commands.txt or options.txt with what is only shown of it.
type writtenRow struct {
	entry
	chapter, title string // "-n, --lines N"
	text           string // after the head
}

var commandRows, optionRows = readRows(commandsText), readRows(optionsText)

// everyCommand is the chapter of the options that every command has.
const everyCommand = "Every command"

func readRows(text string) (rows []writtenRow) {
	entries := readEntries(text)
	for _, chapter := range strings.Split(text, "\n# ")[1:] {
		parts := strings.Split(chapter, "\n## ")
		for _, part := range parts[1:] {
			head, text, _ := strings.Cut(part, "\n\n")
			title, _, _ := strings.Cut(head, "\n")
			rows = append(rows, writtenRow{entries[len(rows)], strings.TrimSpace(parts[0]), title, text})
		}
	}
	return rows
}

// The parts about commands and options in --help, in the man page, in running.md and in the completion are generated
// from the rows. The man page's parts about files and exit statuses are generated from their help topics.
func TestHelpIsWrittenFromTheRows(t *testing.T) {
	const short = "help/short.txt"
	testkit.Part(t, short, "unless another file is named.\n", helpChapters(), "\n  -d  ")
	testkit.Part(t, short, "--help TOPIC    one of ", strings.Join(topics, ", ")+"\n", "\nExit status")
	testkit.Part(t, "help/commands.txt", "", helpCommands(), "")
	testkit.Part(t, "help/options.txt", "", helpOptions(), "")
	for _, e := range commandRows {
		testkit.Part(t, "help/"+e.name+".txt", "", helpCommand(e), "")
	}
	testkit.Part(t, "help/directives.txt", "", helpDirectives(), "")
	testkit.Part(t, "help/checks.txt", "from which they are guessed:\n\n", helpServices(), "\n/usr/share")
	const man = "../../docs/man/ldirectord.8"
	testkit.Part(t, man, ".\\\" commands\n", manChapters(commandRows, manCommand), ".\\\" end\n")
	testkit.Part(t, man, ".\\\" options\n", manChapters(optionRows, manOption), ".\\\" end\n")
	testkit.Part(t, man, ".\\\" files\n", manTopic(t, "files", "Pa "), ".\\\" end\n")
	testkit.Part(t, man, ".\\\" exit\n", manTopic(t, "exit", ""), ".\\\" end\n")
	testkit.Part(t, "../../docs/running.md", "<!-- commands -->\n", markdownCommands(), "<!-- end commands -->\n")
	testkit.Part(t, "../../packaging/completion/ldirectord.bash", "# rows\n", bashRows(), "# end\n")
}

// Each help text belongs to a topic or a command.
func TestNoHelpOnWhatIsNone(t *testing.T) {
	files := testkit.Must(helpTexts.ReadDir("help"))(t)
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".txt")
		if name != "short" && name != "usage" && !slices.Contains(topics, name) && !isCommand(name) {
			t.Errorf("help/%s is on no command", f.Name())
		}
	}
}

// Each row has all its parts, and its lines fit a terminal.
func TestRowsAreWhole(t *testing.T) {
	heads := []string{"line", "words", "options", "is", "complete", "docs"}
	for _, e := range slices.Concat(commandRows, optionRows) {
		for key, value := range e.head {
			option, isOption := strings.CutPrefix(key, "--")
			if isOption && slices.Contains(commands[e.name].Options, option) {
				continue
			}
			if !slices.Contains(heads, key) || value == "" {
				t.Errorf("%s has a head %q: %q", e.name, key, value)
			}
		}
		if e.head["line"] == "" || strings.HasSuffix(e.head["line"], ".") {
			t.Errorf("%s has the line %q", e.name, e.head["line"])
		}
		if is := strings.Fields(e.head["is"]); !subset(is, []string{"perls", "by-file", "starts", "own-json"}) {
			t.Errorf("%s is %q", e.name, is)
		}
	}
	for topic := range strings.FieldsSeq("commands options " + strings.Join(names(commandRows), " ")) {
		var text strings.Builder
		testkit.OK(t, showHelp(&text, topic))
		for line := range strings.Lines(text.String()) {
			if n := len(line); n > 96 || strings.Contains(line, "`") {
				t.Errorf("--help %s: %d columns: %s", topic, n, line)
			}
		}
	}
}

func subset(words, of []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(of, word) })
}

func names(entries []writtenRow) (list []string) {
	for _, e := range entries {
		list = append(list, e.name)
	}
	return list
}

// plain is a text of a row without its marks for literal text.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// helpChapters are the names of the commands, one line for each chapter.
func helpChapters() (lines string) {
	for i, e := range commandRows {
		if i == 0 || e.chapter != commandRows[i-1].chapter {
			lines += fmt.Sprintf("\n  %-22s", e.chapter)
		}
		lines += " " + e.name
	}
	return lines + "\n"
}

func helpCommands() string {
	text := "Commands, as in ldirectord CONFIG COMMAND. --help COMMAND says more; --help why\n" +
		"explains how REAL and VIRTUAL are written.\n"
	for i, e := range commandRows {
		if i == 0 || e.chapter != commandRows[i-1].chapter {
			text += "\n" + e.chapter + "\n"
		}
		text += fmt.Sprintf("  %-17s %s\n", e.name, plain(e.head["line"]))
	}
	return text
}

func helpCommand(e writtenRow) string {
	text := fmt.Sprintf("Usage: ldirectord [OPTION]... [CONFIG] %s\n\n  %s  %s\n\n", e.title, e.name,
		plain(e.head["line"]))
	if e.text != "" {
		text += plain(e.text) + "\n"
	}
	for _, option := range optionRows {
		if slices.Contains(commands[e.name].Options, option.name) {
			text += helpOption(option, e.head["--"+option.name])
		}
	}
	return strings.TrimSpace(text) + "\n\nMore: ldirectord --help options, ldirectord(8)\n"
}

func helpOptions() string {
	text := "Options come before the file; the long ones may also come after the command. An\n" +
		"option that the command does not have is refused.\n\n"
	for _, e := range optionRows {
		text += helpOption(e, "")
		for line := range strings.Lines(plain(e.text) + commandsOfOption(e)) {
			text += strings.Repeat(" ", 28) + line
		}
	}
	return text
}

// helpOption is an option with what it does: for a command, or in general.
func helpOption(e writtenRow, own string) string {
	title := e.title
	if e.short == "" {
		title = "    " + title
	}
	return fmt.Sprintf("  %-25s %s\n", title, plain(cmp.Or(own, e.head["line"])))
}

// commandsOfOption names the commands that have an option. It is empty if all or most of them have it.
func commandsOfOption(e writtenRow) string {
	var with []string
	for _, c := range commandRows {
		if slices.Contains(commands[c.name].Options, e.name) {
			with = append(with, c.name)
		}
	}
	if len(with) == 0 || len(with) > 8 {
		return ""
	}
	return "Commands: " + strings.Join(with, ", ") + ".\n"
}

// helpDirectives lists the directives of the parser's table.
func helpDirectives() string {
	text := "Directives of ldirectord.cf; ldirectord.cf(5) has more. G: global, S: in a section,\n" +
		"+: unknown to the Perl daemon.\n"
	for _, d := range docs.Directives() {
		what, _, _ := strings.Cut(plain(d.Doc), ". ")
		standard, place := "", ""
		if d.Default != "" {
			standard = " (" + d.Default + ")"
		}
		if d.Global() || !d.Section() { // virtual and virtual6 count as global
			place += "G"
		}
		if d.Section() {
			place += "S"
		}
		if d.Extension {
			place += "+"
		}
		text += fmt.Sprintf("\n  %s = %s%s [%s]\n      %s.\n", d.Name, d.Value, standard, place,
			strings.TrimSuffix(what, "."))
	}
	return text
}

// helpServices are the services that negotiate knows, with their ports.
func helpServices() (text string) {
	known := protocol.Services()
	for s := range settings.Services() {
		switch {
		case !slices.Contains(known, s.Name):
		case s.Port == 0:
			text += fmt.Sprintf("  %s\n", s.Name)
		default:
			text += fmt.Sprintf("  %-11s %d\n", s.Name, s.Port)
		}
	}
	return text
}

// manChapters are the rows as mdoc lists, one for each chapter.
func manChapters(entries []writtenRow, one func(writtenRow) string) string {
	var b strings.Builder
	for i, e := range entries {
		if i == 0 || e.chapter != entries[i-1].chapter {
			if i > 0 {
				b.WriteString(".El\n")
			}
			b.WriteString(".Ss " + e.chapter + "\n.Bl -tag -width Ds\n")
		}
		b.WriteString(one(e))
	}
	return b.String() + ".El\n"
}

func manCommand(e writtenRow) string {
	item := ".It Ic " + e.name
	for word := range strings.FieldsSeq(e.argument) {
		item += " " + manWord(word)
	}
	for _, option := range optionRows {
		if slices.Contains(commands[e.name].Options, option.name) {
			item += " Oo " + manOptionWords(option) + " Oc"
		}
	}
	return item + "\n" + manSentences(e)
}

// manWord is an argument in mdoc.
func manWord(word string) string {
	inner, optional := strings.CutPrefix(strings.TrimSuffix(word, "]"), "[")
	switch {
	case optional:
		return "Oo Ar " + inner + " Oc"
	case word == "or":
		return "No or"
	case word == strings.ToUpper(word):
		return "Ar " + word
	default:
		return "Cm " + strings.ReplaceAll(word, "|", " | ")
	}
}

func manOption(e writtenRow) string {
	item := ".It "
	if e.short != "" {
		item += "Fl " + e.short + " , "
	}
	return item + manOptionWords(e) + "\n" + manSentences(e) + commandsOfOption(e)
}

func manOptionWords(e writtenRow) string {
	words := "Fl -" + e.name
	switch {
	case strings.HasPrefix(e.argument, "[="):
		return words + " Ns Oo = Ns Ar " + strings.Trim(e.argument, "[=]") + " Oc"
	case e.argument != "":
		return words + " " + manWord(e.argument)
	}
	return words
}

var (
	literal  = regexp.MustCompile("`([^`]*)`")
	sentence = regexp.MustCompile(`([.:]) `)
)

// manSentences are a row's line and text, with each sentence on a line of its own. Indented lines stay as they are.
func manSentences(e writtenRow) string {
	line := e.head["line"]
	text := manText(strings.ToUpper(line[:1])+line[1:]) + ".\n"
	for part := range strings.SplitSeq(strings.Trim(e.text, "\n"), "\n\n") {
		switch {
		case part == "":
		case strings.HasPrefix(part, "    "):
			lines := strings.ReplaceAll("\n"+manText(part), "\n    ", "\n")
			text += ".Bd -literal" + lines + "\n.Ed\n"
		default:
			words := strings.Join(strings.Fields(part), " ")
			text += ".Pp\n" + sentence.ReplaceAllString(manText(words), "$1\n") + "\n"
		}
	}
	return strings.TrimSuffix(text, "\n") + "\n"
}

func manText(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `"`, `\(dq`, "--", `\-\-`).Replace(text)
	return literal.ReplaceAllString(text, `\fB$1\fR`)
}

// manTopic is the help on a topic in mdoc: its list, and the sentences before and after that, without the title.
func manTopic(t *testing.T, topic, mark string) (page string) {
	t.Helper()
	text := testkit.Must(helpTexts.ReadFile("help/" + topic + ".txt"))(t)
	sentences := func(text string) string {
		return sentence.ReplaceAllString(manText(strings.Join(strings.Fields(text), " ")), "$1\n") + "\n"
	}
	item := regexp.MustCompile(`(?m)^  (\S+)\s+(.*(?:\n {4}.*)*)`)
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		items := item.FindAllStringSubmatch(part, -1)
		switch {
		case len(items) == 0 && strings.HasSuffix(part, "."):
			page += sentences(part)
		case len(items) > 0:
			page += ".Bl -tag -width Ds\n"
			for _, i := range items {
				page += ".It " + mark + i[1] + "\n" + sentences(i[2]+".")
			}
			page += ".El\n"
		}
	}
	return page
}

func markdownCommands() string {
	var b strings.Builder
	b.WriteString("| Command | What it does |\n|---|---|\n")
	for _, e := range commandRows {
		what := e.head["line"]
		if page := e.head["docs"]; page != "" {
			name, _, _ := strings.Cut(page, ".")
			what += "; see [" + name + "](" + page + ")"
		}
		b.WriteString("| `" + strings.ReplaceAll(e.title, "|", `\|`) + "` | " + what + " |\n")
	}
	return b.String()
}

// bashRows is the function of the completion that knows what may follow each command, and, for "", what may follow no
// command.
func bashRows() string {
	all, some := "", ""
	for _, e := range optionRows {
		if e.chapter == everyCommand {
			all += " --" + e.name
		} else {
			some += " --" + e.name
		}
	}
	var b strings.Builder
	b.WriteString("_ldirectord_row() {\n")
	b.WriteString("\tcommands='" + strings.Join(names(commandRows), " ") + "'\n")
	b.WriteString("\ttopics='" + strings.Join(topics, " ") + "'\n")
	b.WriteString("\toptions='" + strings.TrimSpace(all) + "' takes=''\n\tcase $1 in\n")
	b.WriteString("\t'') options+='" + some + "' ;;\n")
	for _, e := range commandRows {
		b.WriteString("\t" + e.name + ")")
		if takes := bashTakes(e); takes != "" {
			b.WriteString(" takes='" + takes + "'")
		}
		for i, option := range commands[e.name].Options {
			b.WriteString([]string{" options+='", ""}[min(i, 1)] + " --" + option)
		}
		if len(commands[e.name].Options) > 0 {
			b.WriteString("'")
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString("\tesac\n}\n")
	return b.String()
}

// bashTakes is what the completion offers after a command: real servers, virtual services where no server must
// follow, addresses, and words.
func bashTakes(e writtenRow) string {
	var list []string
	words := strings.Fields(cmp.Or(e.head["complete"], strings.ReplaceAll(e.argument, "|", " ")))
	for _, word := range words {
		name := strings.Trim(word, "[]")
		isWord := word == strings.ToLower(word)
		isPlace := name == "REAL" || name == "ADDRESS" || name == "VIRTUAL" && !slices.Contains(words, "REAL")
		if isWord || isPlace {
			list = append(list, name)
		}
	}
	return strings.Join(list, " ")
}
