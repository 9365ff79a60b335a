package checker

import (
	"slices"
	"testing"

	"ldirectord/internal/testkit"
)

func TestListsAreEqualWhenTheirElementsAre(t *testing.T) {
	if list := ListOf("a", "b"); list != ListOf("a", "b") || ListOf[string]() != (List[string]{}) {
		t.Error("equal lists are not ==")
	}
	if ListOf("a", "b") == ListOf("b", "a") || ListOf("a") == ListOf("a", "") || ListOf("ab") == ListOf("a", "b") {
		t.Error("different lists are ==")
	}
	testkit.Same(t, slices.Collect(ListOf(1, 2, 3).All()), []int{1, 2, 3})
	for first := range ListOf(1, 2).All() {
		if first != 1 {
			t.Errorf("got %d after the end", first)
		}
		break
	}
}
