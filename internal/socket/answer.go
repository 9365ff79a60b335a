package socket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Refused is the reason why an order is not carried out, in words for the operator.
type Refused string

func (r Refused) Error() string { return string(r) }

// Early is the reason why an order is not carried out now. The same order may be carried out later.
type Early string

func (e Early) Error() string { return string(e) }

// IsAwaited returns an error if the command that gave an order has given up. The order must not be carried out then:
// the command may have recorded it in a file, which may already contain later orders.
func IsAwaited(ctx context.Context) error {
	if clientOf(ctx).hasGone() {
		return errors.New("the command that gave the order has given up")
	}
	return nil
}

// Answer returns a handler that carries out an order and answers with the outcome.
func Answer(limit time.Duration, carryOut func(context.Context, url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !clientOf(r.Context()).isOwner() {
			http.Error(w,
				"only the daemon's user and root may give orders; members of statusgroup may only "+
					"read the status", http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + writeTimeout)) // can't fail
		answer, err := carryOut(ctx, r.URL.Query())
		Write(w, answer, err, statusOf(ctx, err))
	}
}

// Write writes an answer as JSON. If err is not nil, it writes the error instead, with the HTTP status failure.
func Write(w http.ResponseWriter, answer any, err error, failure int) {
	if err != nil {
		http.Error(w, err.Error(), failure)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // an error concerns only the client
}

// statusOf returns the HTTP status for an order that failed. The order was refused, came too early, was interrupted by
// the end of the daemon, or was not finished in time.
func statusOf(ctx context.Context, err error) int {
	_, refused := errors.AsType[Refused](err)
	_, early := errors.AsType[Early](err)
	switch {
	case early:
		return http.StatusTooEarly
	case refused:
		return http.StatusConflict
	case ctx.Err() == context.Canceled:
		return http.StatusServiceUnavailable
	default:
		return http.StatusGatewayTimeout
	}
}
