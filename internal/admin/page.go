package admin

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
)

//go:embed page.html
var pageHTML string

// page is what the operations page shows to a principal.
type page struct {
	Principal string
	At        time.Time
	Acting    string // why nothing is done; "" acts
	Kill      engine.KillState
	Pending   []engine.Run
	Human     []engine.Run
	Runs      []engine.Run
	Episodes  []episode
}

// pageRows bounds the tables of the page.
const pageRows = 50

// page collects what a principal may see.
func (s *Server) page(p Principal) page {
	view := page{Principal: p.Name, At: time.Now().UTC(), Kill: s.engine.KillSwitch()}
	if err := s.engine.Err(); err != nil {
		view.Acting = err.Error()
	}
	visible := slices.DeleteFunc(s.engine.Runs(engine.Filter{}), func(r engine.Run) bool { return !p.mayRead(r) })
	for _, run := range visible {
		switch {
		case run.State == engine.StatePending:
			view.Pending = append(view.Pending, run)
		case run.State == engine.StateNeedsHuman && run.ResolvedBy == nil:
			view.Human = append(view.Human, run)
		}
	}
	view.Runs = visible[:min(len(visible), pageRows)]
	episodes := slices.DeleteFunc(s.processor.list(), func(e episode) bool { return !p.Instances.Match(e.InstanceID) })
	view.Episodes = episodes[:min(len(episodes), pageRows)]
	return view
}

// servePage answers with the operations page. It shows and changes nothing.
func (s *Server) servePage(x *exchange) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("operations page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s.page(x.principal)); err != nil {
		return fmt.Errorf("operations page: %w", err)
	}
	s.count(x.Request, outcomeOK)
	x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_, _ = x.w.Write(b.Bytes())
	return nil
}
