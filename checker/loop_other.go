//go:build !linux

package checker

import (
	"context"
	"errors"
	"time"
)

// loop is for Linux only: elsewhere each check has a goroutine.
type loop struct{}

func newLoop(*Pool) (*loop, error) { return nil, errors.ErrUnsupported }

func (*loop) wake() {}

func (*loop) run(context.Context, []*Task, time.Time) {}

func (*loop) close() {}
