package checker

import (
	"slices"
	"testing"
)

func TestListsAreEqualWhenTheirElementsAre(t *testing.T) {
	if list := ListOf("a", "b"); list != ListOf("a", "b") || ListOf[string]() != (List[string]{}) {
		t.Error("equal lists are not ==")
	}
	if ListOf("a", "b") == ListOf("b", "a") || ListOf("a") == ListOf("a", "") || ListOf("ab") == ListOf("a", "b") {
		t.Error("different lists are ==")
	}
	if got := slices.Collect(ListOf(1, 2, 3).All()); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
	for first := range ListOf(1, 2).All() {
		if first != 1 {
			t.Errorf("got %d after the end", first)
		}
		break
	}
}
