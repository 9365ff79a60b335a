package daemon

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/socket"
)

// maxAnswers is the number of requests that are answered at once.
const maxAnswers = 16

// openSocket creates the control socket. The daemon can run without one.
func (d *daemon) openSocket(ctx context.Context) {
	routes := http.NewServeMux()
	shows := func(path string, ask func(*http.Request) (any, error)) {
		routes.HandleFunc(path, socket.Limiter(maxAnswers)(func(w http.ResponseWriter, r *http.Request) {
			answer, err := ask(r)
			socket.Write(w, answer, err, http.StatusServiceUnavailable)
		}))
	}
	shows("GET /status", func(r *http.Request) (any, error) { return d.report(r.Context()) })
	// for cluster managers, which ask every few seconds: no servers are copied, and no counters are read
	shows("GET /lacking", func(r *http.Request) (any, error) { return d.director.Lacking(r.Context()) })
	shows("GET /why", func(r *http.Request) (any, error) {
		return d.why(r.Context(), r.FormValue("virtual"), r.FormValue("server"))
	})
	routes.HandleFunc("POST /reload", socket.Answer(ReloadTimeout, d.config.answerReload))
	routes.HandleFunc("POST /try", socket.Answer(ReloadTimeout, d.config.answerTry))
	routes.HandleFunc("POST /confirm", socket.Answer(OrderTimeout, d.config.answerConfirm))
	routes.HandleFunc("POST /role",
		socket.Answer(OrderTimeout, func(asked context.Context, words url.Values) (any, error) {
			return d.orders.answerRole(ctx, asked, words)
		}))
	routes.HandleFunc("POST /leave",
		socket.Answer(OrderTimeout, func(_ context.Context, words url.Values) (any, error) {
			return d.orders.answerLeave(ctx, words)
		}))
	routes.HandleFunc("POST /set", func(w http.ResponseWriter, r *http.Request) {
		budget, _ := orders.BudgetOf(r.URL.Query()) // set refuses what it can't read
		socket.Answer(OrderTimeout+budget, d.orders.set)(w, r)
	})
	s, err := socket.Listen(ctx, d.lock.Socket, routes)
	d.socket = s
	allowed := s.Allow(d.Loaded.Config.Global.StatusGroup) // even without a socket: keepFiles may make it
	d.listens(cmp.Or(err, allowed))
}

// listens reports the error that keeps the control socket from working as configured. If err is nil, an earlier failure
// is over.
func (d *daemon) listens(err error) {
	d.settled(notify.ListenFailed, notListening, err)
}

// notListening is reported if commands can't reach the daemon as configured.
const notListening = "Not listening"
