package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html page.css
var files embed.FS

// HTML writes one page that needs nothing else: no script, no font, no request. It is well-formed XML as well, so that any parser can look at it.
func HTML(w io.Writer, d Document) error {
	css, err := files.ReadFile("page.css")
	if err != nil {
		return err
	}
	t, err := template.ParseFS(files, "page.html")
	if err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	p := page{Title: "kassa", CSS: template.CSS(css)}
	for i, r := range d.Results {
		v := newResult(resultID(i), r)
		v.Drill = d.name(i)
		if d.Comparison != nil {
			v.Verdict = runVerdict(d.Comparison, d.Comparison.Done[i])
		}
		p.Results = append(p.Results, v)
	}
	switch {
	case d.Comparison != nil:
		p.Versus = newVersus(d.Comparison)
		p.Title = p.Versus.Names[0] + " against " + p.Versus.Names[1]
	case len(d.Results) == 1:
		v := p.Results[0]
		p.Title = v.Drill + ": " + v.Verdict.Word
	default:
		p.Overview = newOverview(d.Results)
		p.Title = p.Overview.Headline
	}
	return t.Execute(w, p)
}
