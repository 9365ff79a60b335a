package keepalived

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ldirectord/internal/runfile"
)

// These limits are higher than any real configuration needs.
const (
	maxSize   = 4 << 20  // bytes of all files
	maxEffort = 64 << 20 // bytes written to replace parameters
	maxDepth  = 64       // of blocks in blocks, of definitions in definitions
)

// statement is a line's words and the block that follows them.
type statement struct {
	words  []string
	at     position
	block  []*statement
	opened bool
}

func (s *statement) name() string { return s.words[0] }

// arg returns word n, where 0 is the first. It returns "" if there is no such word, or if s is nil.
func (s *statement) arg(n int) string {
	if s != nil && n < len(s.words) {
		return s.words[n]
	}
	return ""
}

// reader converts a file, and the files that it includes, to statements.
type reader struct {
	defined map[string]string // the values of parameters
	files   []string          // those that are being read
	size    int64
	effort  int
	blocks  []*statement // the open ones; the first is the whole configuration
}

// read reads a file and the files that it includes. It reads a line that begins with a condition (@) only if id meets
// the condition.
func read(path, id string) ([]*statement, error) {
	r := &reader{blocks: []*statement{{}},
		defined: map[string]string{"_INSTANCE": id, "_HASH": "#", "_BANG": "!"}}
	if err := r.file(path, position{path, 1, 1}); err != nil {
		return nil, err
	}
	if last := r.blocks[len(r.blocks)-1]; last.opened {
		return nil, last.at.wrong("the block of %q is not closed by a }", last.name())
	}
	return r.blocks[0].block, nil
}

// file reads a file. at is the position of its name.
func (r *reader) file(path string, at position) error {
	if slices.Contains(r.files, path) {
		return at.wrong("%s includes itself", path)
	}
	text, err := runfile.ReadFile(path, maxSize-r.size)
	if err != nil {
		return at.wrong("reading the file: %v", err)
	}
	r.size += int64(len(text))
	r.files = append(r.files, path)
	err = r.lines(string(text), position{file: path}, 0)
	r.files = r.files[:len(r.files)-1]
	return err
}

var (
	condition  = regexp.MustCompile(`^\s*@(\^?)(\S*)`)
	definition = regexp.MustCompile(`^\s*\$([A-Za-z_]\w*)=(.*?)\s*$`)
	parameter  = regexp.MustCompile(`\$(?:\{\w+\}|\w+(?:\s|$))`)
)

// lines reads the text of a file or, if nested > 0, a definition of several lines. For a definition, at is the position
// at which it is used.
func (r *reader) lines(text string, at position, nested int) error {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		here, line, applies := at, cutComment(lines[i]), true
		if nested == 0 {
			here.line, here.column = i+1, 1
		}
		if m := condition.FindStringSubmatch(line); m != nil {
			applies = (m[2] == r.defined["_INSTANCE"]) == (m[1] == "")
			line = line[len(m[0]):]
			here.column += len(m[0])
		}
		m := definition.FindStringSubmatch(line)
		if m == nil {
			if !applies {
				continue
			}
			if err := r.line(line, here, nested); err != nil {
				return err
			}
			continue
		}
		value, more := strings.CutSuffix(m[2], `\`)
		for more && i+1 < len(lines) {
			i++
			line, more = strings.CutSuffix(strings.TrimSpace(cutComment(lines[i])), `\`)
			value += "\n" + line
		}
		if applies {
			r.defined[m[1]] = value
		}
	}
	return nil
}

// line reads a line. It replaces parameters one by one, because the lines of a definition may define further
// parameters.
func (r *reader) line(line string, at position, nested int) error {
	r.defined["_PWD"] = filepath.Dir(at.file)
	for from := 0; ; {
		m := parameter.FindStringIndex(line[from:])
		if m == nil {
			break
		}
		begin, end := from+m[0], from+m[1]
		used := strings.TrimSpace(line[begin:end])
		value, known := r.defined[strings.Trim(used, "${}")]
		if !known {
			from = end
			continue
		}
		from, line = begin, line[:begin]+value+line[begin+len(used):]
		if r.effort += len(line) + 100; r.effort > maxEffort || nested == maxDepth {
			return at.wrong("%s never ends when replaced: a definition must not contain itself", used)
		}
		if strings.Contains(line, "\n") {
			return r.lines(line, at, nested+1)
		}
	}
	words, err := split(line, at)
	if err != nil || len(words) == 0 {
		return err
	}
	switch first := words[0].text; {
	case strings.HasPrefix(first, "~"):
		return at.wrong("~SEQ and ~LST are not supported; write out the lines that they mean")
	case strings.TrimRight(first, "rmwba") == "include" && len(words) > 1:
		return r.include(words[1])
	}
	return r.add(words)
}

// include reads the files that a pattern matches. A name without wildcards must name a file that exists.
func (r *reader) include(pattern word) error {
	path := pattern.text
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(pattern.at.file), path)
	}
	paths, err := filepath.Glob(path)
	if err != nil || paths == nil && !strings.ContainsAny(path, "*?[") {
		paths = []string{path} // to report that it can't be read
	}
	for _, path := range paths {
		if err := r.file(path, pattern.at); err != nil {
			return err
		}
	}
	return nil
}

// add adds the words of a line to the open block.
func (r *reader) add(words []word) error {
	var current *statement // the statement of this line
	for _, w := range words {
		block := r.blocks[len(r.blocks)-1]
		if w.brace && current == nil && len(block.block) > 0 {
			current = block.block[len(block.block)-1] // the statement of the line before
		}
		switch {
		case !w.brace && current == nil:
			current = &statement{at: w.at, words: []string{w.text}}
			block.block = append(block.block, current)
		case !w.brace && slices.Contains(escaped, current.name()):
			current.words = append(current.words, w.raw)
		case !w.brace:
			current.words = append(current.words, w.text)
		case w.text == "{" && (current == nil || current.opened || len(r.blocks) > maxDepth):
			return w.at.wrong("this { has no name before it, or is nested more than %d deep", maxDepth)
		case w.text == "{":
			current.opened = true
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
