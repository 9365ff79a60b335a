package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var (
	saysError   = regexp.MustCompile(`(?im)^error`)
	saysWarning = regexp.MustCompile(`(?im)^warning`)
	errorLine   = regexp.MustCompile(`(?i)at line (\d+)`)
)

// judge tries the left side of each line "DIRECTIVE => VERDICT" that it expects, in a configuration of its own, in
// front of the section or in it ("\n" begins another line). The exit status of a command reports whether it is taken
// (3: not running) or refused (2).
func (p *play) judge(s step, _ options) (*observation, error) {
	const head, section = "checkinterval = 5\n", "virtual = 10.1.0.1:80\n        real = 10.2.0.1:80 gate\n"
	var verdicts []string
	for _, expected := range s.want {
		line, _, _ := strings.Cut(expected, " => ")
		text := strings.ReplaceAll(line, `\n`, "\n") + "\n"
		switch s.rest {
		case "global":
			text += section
		case "section":
			text = head + section + "        " + text
		default:
			return nil, fmt.Errorf("global or section?")
		}
		if err := os.WriteFile(filepath.Join(configDir, "judged.cf"), []byte(text), 0o600); err != nil {
			return nil, err
		}
		verdict, err := p.verdict()
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, line+" => "+verdict)
	}
	return &observation{look: func() ([]string, error) { return verdicts, nil }}, nil
}

func (p *play) verdict() (string, error) {
	cmd := exec.Command(p.Binary.Path, "judged.cf", "status")
	cmd.Env, cmd.Dir = p.env, "/"
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	verdict := finish(cmd, p.Binary.patience(10*time.Second))
	switch said := out.String(); {
	case saysError.MatchString(said):
		if m := errorLine.FindStringSubmatch(said); m != nil {
			verdict += " line " + m[1]
		}
	case saysWarning.MatchString(said):
		verdict += " warns"
	}
	return verdict, nil
}
