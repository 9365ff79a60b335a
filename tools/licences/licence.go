package main

import (
	"errors"
	"fmt"
	"strings"
)

// licences are those with which the program, under Apache-2.0, may be distributed as one binary, and a sentence by
// which each is known. The first in this list that a text has counts. Those without a name are not allowed, because
// they ask more of the whole program. MPL-2.0 comes first, because its text mentions some of them.
var licences = []struct{ name, sentence string }{
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"", "gnu general public license"}, {"", "gnu affero"}, {"", "gnu lesser"},
	{"", "server side public license"}, {"", "business source license"},
	{"Apache-2.0", "apache license version 2.0, january 2004"},
	{"BSD-3-Clause", "this software without specific prior written permission"},
	{"BSD-2-Clause",
		"redistribution and use in source and binary forms, with or without modification, are permitted"},
	// MIT, as Debian calls it
	{"Expat", "permission is hereby granted, free of charge, to any person obtaining a copy"},
}

// name is the licence's short name, empty where it is none of those allowed.
func (m module) name() string {
	if len(m.files) == 0 || !source.MatchString(m.files[0].name) {
		return ""
	}
	text := strings.ToLower(strings.Join(strings.Fields(m.files[0].text), " "))
	for _, l := range licences {
		if strings.Contains(text, l.sentence) {
			return l.name
		}
	}
	return ""
}

// check returns one error for each module that has no licence, or none of those allowed.
func check(modules []module) error {
	var failed []error
	for _, m := range modules {
		switch {
		case len(m.files) == 0:
			failed = append(failed, fmt.Errorf("%s %s has no licence", m.path, m.version))
		case m.name() == "":
			failed = append(failed, fmt.Errorf("%s %s: %s is not one of the allowed licences", m.path,
				m.version, m.files[0].name))
		}
	}
	return errors.Join(failed...)
}
