// Package page shows the report of a running daemon and the history of its servers, as HTML for people with a browser,
// and as JSON. It changes nothing. All HTML is made here. To update the page, its script requests the same address
// again and replaces all below the header.
package page

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed" // the style and the script are part of the program
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"ldirectord/internal/printable"
	"ldirectord/internal/status"
)

//go:embed page.css
var style string

//go:embed page.js
var script string

// Pages answers browsers. It gets its data from a daemon through these functions.
type Pages struct {
	Report func(context.Context) (*status.Report, error)                      // the current report
	Why    func(_ context.Context, virtual, real string) (*status.Why, error) // of one server; virtual may be ""
	// another name for this machine, in addition to its host name; "" for none
	Host    func() string
	Traffic *Traffic // nil: no traffic is shown
}

// policy returns the Content-Security-Policy, which limits what the document may do in a browser.
func policy() string {
	return "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) +
		"; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// hash returns the hash by which a Content-Security-Policy allows a style or script.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Page answers with the view that the query requests: the overview, a virtual service, or one of its servers.
func (p *Pages) Page(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, func(ctx context.Context) (bool, any, error) {
		report, err := p.Report(ctx)
		if err != nil {
			return false, nil, err
		}
		v := newView(report, r.URL.Query(), p.Traffic)
		if server := v.about.Server; server != nil {
			if v.why, err = p.Why(ctx, v.about.At.ID, server.Real); err != nil {
				return false, nil, err
			}
		}
		return v.missing == "", document(v), nil
	})
}

// Status answers with the whole report.
func (p *Pages) Status(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, func(ctx context.Context) (bool, any, error) {
		report, err := p.Report(ctx)
		return true, report, err
	})
}

// Because answers with the history of the server given by the parameter real, in one virtual service or in all of them.
func (p *Pages) Because(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("real") == "" {
		http.Error(w, "which server? Ask for why.json?virtual=ID&real=ADDRESS:PORT; virtual may be left out",
			http.StatusBadRequest)
		return
	}
	p.answer(w, r, func(ctx context.Context) (bool, any, error) {
		why, err := p.Why(ctx, r.FormValue("virtual"), r.FormValue("real"))
		return err == nil && len(why.Servers) > 0, why, err
	})
}

// answer writes the body that write returns. Markup is written as it is, anything else as JSON. The body is compressed
// if the client accepts that. If the requested name is not found, the status is 404.
func (p *Pages) answer(w http.ResponseWriter, r *http.Request,
	write func(context.Context) (found bool, body any, err error)) {
	header := w.Header()
	for name, value := range map[string]string{
		"Content-Security-Policy": policy(), "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "Vary": "Accept-Encoding",
	} {
		header.Set(name, value)
	}
	if why := p.foreign(r.Host); why != "" {
		http.Error(w, why, http.StatusMisdirectedRequest)
		return
	}
	found, content, err := write(r.Context())
	document, isDocument := content.(markup)
	contentType, body := "text/html; charset=utf-8", []byte(document)
	if err == nil && !isDocument {
		contentType = "application/json"
		body, err = json.Marshal(content)
	}
	if err != nil {
		http.Error(w, printable.Line(err.Error()), http.StatusServiceUnavailable)
		return
	}
	header.Set("Content-Type", contentType)
	to := io.Writer(w)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		to = z
	}
	if !found {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = to.Write(body) // an error is the client's problem
}

// foreign returns the reason why a request is not meant for this machine, or "" if it is. Without this test, a foreign
// site whose name is made to resolve to this machine (DNS rebinding) could use a script to read the page.
func (p *Pages) foreign(host string) string {
	name := strings.ToLower(strings.TrimSuffix((&url.URL{Host: host}).Hostname(), "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	own, _ := os.Hostname() // if it fails, only the other names count
	short, _, _ := strings.Cut(own, ".")
	for _, allowed := range []string{"localhost", own, short, p.Host()} {
		if name != "" && strings.EqualFold(name, allowed) {
			return ""
		}
	}
	return fmt.Sprintf(
		"This page is not known as %q. It answers to an IP address, to localhost, to %s, and to the name "+
			"that statushost gives.",
		name, printable.Line(own))
}
