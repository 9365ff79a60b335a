package checker

import "sync"

// Shared caches values that the checks of many servers share, one for each key.
type Shared[K comparable, V any] struct {
	mu   sync.Mutex
	made map[K]V
}

// Get returns the value of a key. The first call with a key builds its value; if that fails, the next call tries again.
func (s *Shared[K, V]) Get(key K, build func() (V, error)) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.made[key]; ok {
		return v, nil
	}
	v, err := build()
	if err != nil {
		return v, err
	}
	if s.made == nil {
		s.made = map[K]V{}
	}
	s.made[key] = v
	return v, nil
}
