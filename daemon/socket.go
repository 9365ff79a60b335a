package daemon

import (
	"context"
	"net/http"
	"net/url"

	"ldirectord/control"
	"ldirectord/notify"
)

// maxAnswers is the number of requests that are answered at once.
const maxAnswers = 16

// openSocket makes the control socket. The daemon also runs without one.
func (d *daemon) openSocket(ctx context.Context) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /status", control.Limiter(maxAnswers)(d.answerStatus))
	routes.HandleFunc("GET /lacking", control.Limiter(maxAnswers)(d.answerLacking))
	routes.HandleFunc("GET /why", control.Limiter(maxAnswers)(d.answerWhy))
	routes.HandleFunc("POST /reload", control.Answer(ReloadTimeout, d.config.answerReload))
	routes.HandleFunc("POST /role",
		control.Answer(OrderTimeout, func(asked context.Context, words url.Values) (any, error) {
			return d.orders.answerRole(ctx, asked, words)
		}))
	routes.HandleFunc("POST /set", control.Answer(OrderTimeout, d.orders.set))
	s, err := control.Listen(ctx, d.lock.Socket, routes)
	if err == nil {
		d.socket = s
		err = s.Allow(d.Loaded.Config.Global.StatusGroup)
	}
	d.failed(notify.ListenFailed, notListening, err)
}

// notListening reports that commands or metrics can't reach the daemon as configured.
const notListening = "Not listening"
