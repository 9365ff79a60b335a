package printable

// Alike groups items with the same key if there are more than limit of them. A group takes the position of its first
// item. Items with the key "" are never grouped.
func Alike[T any](all []T, limit int, key func(T) string) (groups [][]T) {
	count, at := map[string]int{}, map[string]int{}
	for _, one := range all {
		count[key(one)]++
	}
	for _, one := range all {
		k := key(one)
		if i, begun := at[k]; begun {
			groups[i] = append(groups[i], one)
			continue
		}
		if k != "" && count[k] > limit {
			at[k] = len(groups)
		}
		groups = append(groups, []T{one})
	}
	return groups
}
