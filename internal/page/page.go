// Package page is what our HTML pages have in common: a frame, a style, the
// behaviour that keeps them live, and small charts. It knows nothing of Kafka.
//
// A page is one answer: style and scripts are in it, allowed by their hashes,
// and it asks nobody but the server that it came from. Links are relative to
// the root of the listener, so that any prefix of a proxy works. Without
// scripts a page can be read all the same; it just stands still.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.css
var style string

//go:embed page.js
var script string

//go:embed frame.html
var frame string

// LiveHeader is the header with which a page asks for itself again. The answer
// leaves out style and scripts, which the page has.
const LiveHeader = "Alikafka-Exporter-Live"

// Link is an entry of the navigation.
type Link struct{ Href, Text string }

// Site is what the pages of one listener share.
type Site struct {
	Name  string // of the program
	Note  string // small, beside it: version, or what the listener is for
	Links []Link
}

// Page is a page of a site.
type Page struct {
	site     Site
	current  string // the link that leads here; "" for none
	template *template.Template
	script   string
	policy   string
}

// New makes a page of a template, which defines "title" and "main", and of
// scripts that it needs beside the common one. It panics where the template
// does not parse: templates are part of the program.
func New(site Site, current, text string, scripts ...string) *Page {
	p := &Page{
		site: site, current: current,
		template: template.Must(template.Must(template.New("frame").Funcs(funcs()).Parse(frame)).Parse(text)),
		script:   strings.Join(append([]string{script}, scripts...), "\n"),
	}
	p.policy = "default-src 'none'; base-uri 'none'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; img-src data:; " +
		"script-src " + hash(p.script) + "; style-src " + hash(style)
	return p
}

// hash returns the source expression that allows an inline element.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// view is what the frame shows.
type view struct {
	Site    Site
	Current string
	Style   template.CSS
	Script  template.JS
	Whole   bool // style and scripts, too
	Data    any
}

// Serve answers a request with the page of data. The error is that of the
// template; nothing has been written then.
func (p *Page) Serve(w http.ResponseWriter, r *http.Request, status int, data any) error {
	v := view{
		Site: p.site, Current: p.current, Data: data, Whole: r.Header.Get(LiveHeader) == "",
		Style: template.CSS(style), Script: template.JS(p.script), //nolint:gosec // both are part of the program
	}
	var b bytes.Buffer
	if err := p.template.Execute(&b, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}
