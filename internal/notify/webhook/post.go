package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"ldirectord/internal/printable"
)

// Limits of one attempt.
const (
	tryTime   = 10 * time.Second // from the look-up to the end of the answer
	maxHeader = 64 << 10         // bytes of the answer's header
	maxAnswer = 64 << 10         // bytes of the answer to read; its content is ignored
)

// newClient returns a client that uses HTTP/1.1, verifies certificates, follows no redirects and uses the proxy that
// the environment names. It keeps one connection open for the next state.
func newClient() *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, Protocols: &protocols, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeader, MaxIdleConns: 1, IdleConnTimeout: tryTime,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post makes one attempt. The error contains no part of the URL other than the host and port.
func post(ctx context.Context, client *http.Client, to string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return reason(ctx, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "ldirectord")
	answer, err := client.Do(request)
	if err != nil {
		return reason(ctx, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	switch code := answer.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 4 && code != http.StatusTooManyRequests:
		return refusal{status(code)}
	default:
		return status(code)
	}
}

// status is the status code of an answer that does not report success. A refusal is a status that may concern only
// the posted text.
type (
	status  int
	refusal struct{ status }
)

func (s status) Error() string { return fmt.Sprintf("status %d %s", int(s), http.StatusText(int(s))) }

// reason returns the error of a try as a single line without the URL. It quotes nothing from an answer, because a
// receiver may repeat the URL.
func reason(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer in %v", tryTime)
	}
	if of, is := errors.AsType[*url.Error](err); is {
		err = of.Err
	}
	_, network := errors.AsType[*net.OpError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	if !network && !untrusted && !errors.Is(err, http.ErrSchemeMismatch) {
		return errors.New("no answer that can be read as HTTP")
	}
	return errors.New(printable.Line(err.Error()))
}

// name returns the part of a URL that may be shown. The rest may contain a token.
func name(to string) string {
	u, err := url.Parse(to)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
