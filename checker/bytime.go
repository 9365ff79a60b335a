package checker

import "time"

// scheduled is what a heap is ordered by. It is told where in the heap it is, -1 for nowhere.
type scheduled interface {
	when() time.Time
	moved(index int)
}

// byTime is a heap (container/heap): the earliest first.
type byTime[T scheduled] []T

func (h byTime[T]) Len() int           { return len(h) }
func (h byTime[T]) Less(i, j int) bool { return h[i].when().Before(h[j].when()) }
func (h byTime[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].moved(i)
	h[j].moved(j)
}

func (h *byTime[T]) Push(x any) {
	t := x.(T)
	t.moved(len(*h))
	*h = append(*h, t)
}

func (h *byTime[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	clear(old[len(old)-1:])
	*h = old[:len(old)-1]
	last.moved(-1)
	return last
}
