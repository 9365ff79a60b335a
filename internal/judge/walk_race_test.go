//go:build race

package judge

func init() { raced = true }
