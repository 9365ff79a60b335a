//go:build race

package docs

func init() { raced = true }
