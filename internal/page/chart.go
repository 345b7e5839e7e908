package page

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Point is a sample of a chart; NaN where there is none.
type Point struct {
	At     time.Time
	Values []float64 // one for each series
}

// Chart shows how up to two series went. Its drawing stretches with the page,
// so that what is written stands outside of it.
type Chart struct {
	Title  string
	Series []string // names; the first is drawn solid with an area below, the second dashed
	Points []Point  // oldest first
	Format func(float64) string
	// Floating lets the axis begin at the smallest value; otherwise it begins
	// at 0.
	Floating bool
}

// HTML returns the chart as a figure.
func (c Chart) HTML() template.HTML {
	var b strings.Builder
	text := template.HTMLEscapeString
	low, high := c.bounds()
	samples, err := json.Marshal(c.samples())
	if err != nil {
		samples = []byte("[]") // cannot be: they are numbers and texts
	}
	fmt.Fprintf(&b, `<figure class="chart" tabindex="0" data-samples="%s"><figcaption><b>%s</b>`, text(string(samples)), text(c.Title))
	if len(c.Series) > 1 {
		for i, name := range c.Series {
			fmt.Fprintf(&b, `<span class="key s%d">%s</span>`, i, text(name))
		}
	}
	b.WriteString(`<span class="read" aria-live="polite"></span></figcaption>`)
	fmt.Fprintf(&b, `<div class="plot"><div class="y" aria-hidden="true"><span>%s</span><span>%s</span><span>%s</span></div>`,
		text(c.Format(high)), text(c.Format((low+high)/2)), text(c.Format(low)))
	fmt.Fprintf(&b, `<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="%s">`, text(c.summary()))
	b.WriteString(`<path class="gridline" d="M0 0H1000M0 50H1000M0 100H1000"/>`)
	for i := range slices.Backward(c.Series) {
		c.draw(&b, i, low, high)
	}
	b.WriteString(`</svg><div class="x" aria-hidden="true">`)
	if n := len(c.Points); n > 0 {
		first, last := c.Points[0].At, c.Points[n-1].At
		for _, t := range []time.Time{first, first.Add(last.Sub(first) / 2), last} {
			fmt.Fprintf(&b, `<span>%s</span>`, clock(t))
		}
	}
	b.WriteString(`</div></div></figure>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

// draw adds a series: area, line, and a dot for each sample.
func (c Chart) draw(b *strings.Builder, series int, low, high float64) {
	var line, dots strings.Builder
	first, last, pen := 0.0, 0.0, byte('M')
	for _, p := range c.Points {
		v := p.Values[series]
		if math.IsNaN(v) {
			pen = 'M'
			continue
		}
		x, y := 1000*c.share(p.At), 100-100*(v-low)/(high-low)
		if line.Len() == 0 {
			first = x
		}
		last = x
		fmt.Fprintf(&line, "%c%.1f %.2f", pen, x, y)
		fmt.Fprintf(&dots, "M%.1f %.2fh0", x, y)
		pen = 'L'
	}
	if line.Len() == 0 {
		return
	}
	if series == 0 && strings.Count(line.String(), "M") == 1 && !c.Floating {
		fmt.Fprintf(b, `<path class="area" d="%sL%.1f 100L%.1f 100Z"/>`, line.String(), last, first)
	}
	fmt.Fprintf(b, `<path class="line s%d" d="%s"/>`, series, line.String())
	if len(c.Points) <= 60 {
		fmt.Fprintf(b, `<path class="dot s%d" d="%s"/>`, series, dots.String())
	}
}

// share returns where between the first and the last sample t is, from 0 to 1.
func (c Chart) share(t time.Time) float64 {
	first, last := c.Points[0].At, c.Points[len(c.Points)-1].At
	if !last.After(first) {
		return 1
	}
	return float64(t.Sub(first)) / float64(last.Sub(first))
}

// bounds returns the ends of the axis.
func (c Chart) bounds() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range c.Points {
		for _, v := range p.Values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low > high {
		return 0, 1
	}
	if !c.Floating {
		low = min(low, 0)
	}
	if low == high {
		high = low + 1
	}
	return low, high
}

// samples returns for every sample where it is and what is to be told of it.
func (c Chart) samples() [][2]any {
	all := make([][2]any, 0, len(c.Points))
	for _, p := range c.Points {
		told := []string{clock(p.At)}
		for i, v := range p.Values {
			switch {
			case math.IsNaN(v):
			case len(c.Series) > 1:
				told = append(told, c.Series[i]+" "+c.Format(v))
			default:
				told = append(told, c.Format(v))
			}
		}
		all = append(all, [2]any{math.Round(c.share(p.At)*1e4) / 1e4, strings.Join(told, " · ")})
	}
	return all
}

// summary says what the drawing shows to those who do not see it.
func (c Chart) summary() string {
	n := len(c.Points)
	if n == 0 {
		return c.Title + ": no samples"
	}
	said := []string{fmt.Sprintf("%s: %d samples from %s to %s UTC", c.Title, n, clock(c.Points[0].At), clock(c.Points[n-1].At))}
	for i, name := range c.Series {
		first, last := c.Points[0].Values[i], c.Points[n-1].Values[i]
		said = append(said, fmt.Sprintf("%s from %s to %s", name, c.Format(first), c.Format(last)))
	}
	return strings.Join(said, "; ")
}

// Meter draws how much of a limit is used, and warns from 80 and 95 percent on.
func Meter(used, limit float64) template.HTML {
	if !(limit > 0) {
		return ""
	}
	share, tone := min(max(used/limit, 0), 1), "calm"
	switch {
	case used >= 0.95*limit:
		tone = "bad"
	case used >= 0.8*limit:
		tone = "warn"
	}
	return template.HTML(`<svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="` + //nolint:gosec // numbers and a constant
		strconv.Itoa(int(100*used/limit+0.5)) + ` percent"><rect class="back" width="100" height="10"/><rect class="` + tone +
		`" width="` + strconv.FormatFloat(100*share, 'f', 1, 64) + `" height="10"/></svg>`)
}

// Share is a part of a whole: good, warn, bad or calm.
type Share struct {
	Tone  string
	Count int
}

// Shares draws how a whole is divided.
func Shares(shares []Share) template.HTML {
	total := 0
	for _, s := range shares {
		total += s.Count
	}
	if total == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<svg class="shares" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">`)
	at := 0.0
	for _, s := range shares {
		width := 1000 * float64(s.Count) / float64(total)
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" width="%.1f" height="10"/>`, template.HTMLEscapeString(s.Tone), at, width)
		at += width
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers and escaped texts
}

// Spark draws a series without axes.
func Spark(values []float64) template.HTML {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if len(values) < 2 {
		return ""
	}
	if low == high {
		high = low + 1
	}
	var b strings.Builder
	b.WriteString(`<svg class="spark" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true"><path class="line s0" d="`)
	for i, v := range values {
		pen := byte('L')
		if i == 0 {
			pen = 'M'
		}
		fmt.Fprintf(&b, "%c%.0f %.1f", pen, 1000*float64(i)/float64(len(values)-1), 95-90*(v-low)/(high-low))
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers
}
