package keepalived

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ldirectord/internal/runfile"
)

// Limits of a configuration, which no real one reaches.
const (
	maxSize     = 4 << 20  // bytes of all files
	maxExpanded = 64 << 20 // bytes that definitions may be replaced by
	maxFiles    = 1000
	maxDepth    = 16 // blocks in blocks, files in files
	maxNested   = 64 // definitions in definitions
)

// statement is a line: its words, and the block that follows it.
type statement struct {
	words []word
	block []*statement
	open  bool // it has a block
}

func (s *statement) name() string { return s.words[0].text }

func (s *statement) at() Position { return s.words[0].at }

// arg returns a word after the first, "" if there is none.
func (s *statement) arg(n int) string {
	if n < len(s.words) {
		return s.words[n].text
	}
	return ""
}

// reader reads a file, with the files that it includes, into statements.
type reader struct {
	id       string            // what lines with @ are compared with
	defined  map[string]string // by $NAME
	files    []string          // that are being read
	count    int               // of all files
	size     int64
	expanded int
	blocks   []*statement // that are open; the first is the whole configuration
}

// read reads a file and what it includes; id is what the words after @ are compared with.
func read(path, id string) ([]*statement, error) {
	root := &statement{open: true}
	r := &reader{id: id, blocks: []*statement{root},
		defined: map[string]string{"_INSTANCE": id, "_HASH": "#", "_BANG": "!"}}
	if err := r.file(path, nil); err != nil {
		return nil, err
	}
	if last := r.blocks[len(r.blocks)-1]; last != root {
		return nil, last.at().wrong("the block of %q is not closed by a }", last.name())
	}
	return root.block, nil
}

// file reads a file that the word from includes, nil for the first one.
func (r *reader) file(path string, from *word) error {
	fail := func(format string, args ...any) error {
		if from == nil {
			return Position{path, 1, 1}.wrong(format, args...)
		}
		return from.at.wrong(format, args...)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fail("%v", err)
	}
	r.count++
	switch {
	case slices.Contains(r.files, absolute):
		return fail("%s includes itself", path)
	case len(r.files) == maxDepth:
		return fail("files are included more than %d deep", maxDepth)
	case r.count > maxFiles:
		return fail("more than %d files are included", maxFiles)
	}
	text, err := runfile.ReadFile(path, maxSize-r.size)
	if err != nil {
		return fail("reading the file: %v", err)
	}
	r.size += int64(len(text))
	r.files = append(r.files, absolute)
	outer := r.defined["_PWD"]
	r.defined["_PWD"] = filepath.Dir(absolute)
	err = r.lines(strings.Split(string(text), "\n"), Position{path, 1, 1}, 0)
	r.defined["_PWD"] = outer
	r.files = r.files[:len(r.files)-1]
	return err
}

var (
	definition = regexp.MustCompile(`^\$([A-Za-z_]\w*)=(.*)$`)
	parameter  = regexp.MustCompile(`\$\{(\w+)\}|\$(\w+)(?:\s|$)`)
	binary     = regexp.MustCompile(`[^\t\r\f\v -~\x80-\x{10ffff}]`)
)

// lines reads lines: of a file, or of a definition with nested > 0, all of which are where it was used.
func (r *reader) lines(lines []string, at Position, nested int) error {
	for i := 0; i < len(lines); i++ {
		here := at
		if nested == 0 {
			here.Line += i
		}
		if bad := binary.FindStringIndex(lines[i]); bad != nil {
			here.Column = bad[0] + 1
			return here.wrong("the byte 0x%02x is not allowed: this is no text file", lines[i][bad[0]])
		}
		line := strings.TrimSpace(cutComment(lines[i]))
		if here.Column += strings.Index(lines[i], line); nested > 0 {
			here = at
		}
		line, applies := r.condition(line)
		if !applies {
			continue
		}
		m := definition.FindStringSubmatch(line)
		if m == nil {
			if err := r.line(line, here, nested); err != nil {
				return err
			}
			continue
		}
		value, more := strings.CutSuffix(m[2], `\`)
		for more && i+1 < len(lines) {
			i++
			var next string
			next, more = strings.CutSuffix(strings.TrimSpace(cutComment(lines[i])), `\`)
			value += "\n" + next
		}
		r.defined[m[1]] = value
	}
	return nil
}

// condition returns a line without its conditions, and whether they are true.
func (r *reader) condition(line string) (rest string, applies bool) {
	for strings.HasPrefix(line, "@") {
		id, rest, _ := strings.Cut(line[1:], " ")
		other, isNot := strings.CutPrefix(id, "^")
		if (other == r.id) == isNot {
			return "", false
		}
		line = strings.TrimSpace(rest)
	}
	return line, true
}

// line replaces what is defined, one after the other: a definition of several lines may change those that come later.
func (r *reader) line(line string, at Position, nested int) error {
	written := line
	for steps, from := 0, 0; from < len(line); {
		found := parameter.FindStringSubmatchIndex(line[from:])
		if found == nil {
			break
		}
		begin, end := from+found[0], from+found[1]
		name := strings.Trim(strings.TrimSpace(line[begin:end]), "${}")
		value, known := r.defined[name]
		if !known {
			from = end
			continue
		}
		if line[begin+1] != '{' {
			end = begin + 1 + len(name)
		}
		line = line[:begin] + value + line[end:]
		r.expanded += len(line)
		if steps++; steps > maxNested*maxNested || nested == maxNested || r.expanded > maxExpanded {
			return at.wrong("$%s is replaced without an end; a definition must not have itself in it", name)
		}
		if strings.Contains(line, "\n") {
			return r.lines(strings.Split(line, "\n"), at, nested+1)
		}
	}
	if strings.HasPrefix(line, "~") {
		return at.wrong("~SEQ and ~LST are not read here; write the lines out")
	}
	words, err := split(line, at)
	if err != nil {
		return err
	}
	if line != written {
		for i := range words {
			words[i].at = at
		}
	}
	if len(words) > 1 && slices.Contains(includes, words[0].text) {
		return r.include(words[1])
	}
	return r.add(words)
}

var includes = []string{"include", "includer", "includem", "includew", "includeb", "includea"}

func (r *reader) include(pattern word) error {
	path := pattern.text
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.defined["_PWD"], path)
	}
	paths, err := filepath.Glob(path)
	if err != nil {
		return pattern.at.wrong("%q is no pattern of file names: %v", pattern.text, err)
	}
	if paths == nil && !strings.ContainsAny(path, "*?[") {
		paths = []string{path} // which can't be read
	}
	for _, path := range paths {
		if err := r.file(path, &pattern); err != nil {
			return err
		}
	}
	return nil
}

// add adds the words of a line to the block that is open.
func (r *reader) add(words []word) error {
	var current *statement // of this line
	for _, w := range words {
		block := r.blocks[len(r.blocks)-1]
		switch {
		case !w.brace:
			if current == nil {
				current = &statement{}
				block.block = append(block.block, current)
			}
			current.words = append(current.words, w)
		case w.text == "{":
			if current == nil && len(block.block) > 0 {
				current = block.block[len(block.block)-1]
			}
			switch {
			case current == nil || current.open:
				return w.at.wrong("this { has no name before it")
			case len(r.blocks) > maxDepth:
				return w.at.wrong("blocks are nested more than %d deep", maxDepth)
			}
			current.open = true
			r.blocks = append(r.blocks, current)
			current = nil
		case len(r.blocks) == 1:
			return w.at.wrong("this } closes no block")
		default:
			r.blocks = r.blocks[:len(r.blocks)-1]
			current = nil
		}
	}
	return nil
}
