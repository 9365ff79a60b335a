package lvs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Tags are the labels of a real server, sorted and separated by commas; "" for none.
type Tags string

const maxTags = 16

var tagForm = regexp.MustCompile(`^\w[\w.-]{0,63}$`)

// ParseTags reads labels separated by commas.
func ParseTags(text string) (Tags, error) {
	list := strings.Split(text, ",")
	for _, tag := range list {
		if !tagForm.MatchString(tag) {
			return "", fmt.Errorf("%q is not a tag; it must be at most 64 letters, digits, dots, "+
				"hyphens and underscores; commas separate tags", tag)
		}
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) > maxTags {
		return "", fmt.Errorf("there are more than %d tags", maxTags)
	}
	return Tags(strings.Join(list, ",")), nil
}

// With adds labels separated by commas.
func (t Tags) With(more string) (Tags, error) {
	return ParseTags(strings.TrimPrefix(string(t)+","+more, ","))
}

// List returns all labels.
func (t Tags) List() []string {
	if t == "" {
		return nil
	}
	return strings.Split(string(t), ",")
}

// Tagged is what an operator writes before a label to mean all servers that have it.
const Tagged = "tag:"

// IsMeant reports whether an operator's word is tag:NAME, with NAME one of these labels.
func (t Tags) IsMeant(word string) bool {
	tag, isTag := strings.CutPrefix(word, Tagged)
	return isTag && slices.Contains(t.List(), tag)
}
