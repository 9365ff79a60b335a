package protocol_test

import (
	"context"

	"ldirectord/checker"
	"ldirectord/checker/protocol"
	"ldirectord/internal/schedule"
)

func init() { protocol.RunPool = runPool }

func runPool(ctx context.Context, checks []protocol.Timed, take func(which int, r checker.Result)) {
	var tasks []*schedule.Task
	which := map[*schedule.Task]int{}
	for i, c := range checks {
		tasks = append(tasks, &schedule.Task{Every: c.Every, Checker: c.Checker})
		which[tasks[i]] = i
	}
	p := schedule.NewPool()
	p.Set(tasks, nil)
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-p.Results():
		}
		for _, u := range p.Take() {
			take(which[u.Task], u.Result)
		}
	}
	<-ended
}
