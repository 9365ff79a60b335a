package core

import (
	"slices"
	"testing"
)

// This file counts which kinds of conditions chaos comes to. Each that is reported has to begin and to end.

// course is how often the conditions of each kind have begun and ended.
type course struct {
	held         map[*recent]map[*news]bool // after the last event
	begins, ends map[*news]int
}

func newCourse() course {
	return course{map[*recent]map[*news]bool{}, map[*news]int{}, map[*news]int{}}
}

// follow notes what has begun and ended in an event.
func (all *course) follow(c *Core) {
	for _, v := range c.virtuals {
		all.compare(v.recent)
		for _, s := range v.all {
			all.compare(s.recent)
		}
	}
}

func (all *course) compare(now *recent) {
	was := all.held[now]
	if now == nil || len(was)+len(now.begun) == 0 {
		return
	}
	if was == nil {
		was = map[*news]bool{}
		all.held[now] = was
	}
	for kind := range was {
		if _, holds := now.begun[kind]; !holds {
			delete(was, kind)
			all.ends[kind]++
		}
	}
	for kind, is := range now.begun {
		if is.reported && !was[kind] {
			was[kind] = true
			all.begins[kind]++
		}
	}
}

// compareKinds checks, after all seeds, that every kind has begun and ended.
func compareKinds(t *testing.T, seeds []*chaos) {
	for _, k := range slices.Concat(serverKinds, sectionKinds) {
		if k.news == nil {
			continue
		}
		begins, ends := 0, 0
		for _, c := range seeds {
			begins, ends = begins+c.oracle.begins[k.news], ends+c.oracle.ends[k.news]
		}
		if begins == 0 || ends == 0 {
			t.Errorf("%s has begun %d times and ended %d times", k.name, begins, ends)
		}
	}
}
