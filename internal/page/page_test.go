package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/page"
)

const greeting = `{{define "title"}}{{.}}{{end}}{{define "main"}}<h1>{{.}}</h1>{{end}}`

func serve(t *testing.T, data any, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	p := page.New(page.Site{Name: "site", Links: []page.Link{{Href: "./", Text: "Home"}, {Href: "other", Text: "Other"}}}, "./", greeting, "// </scr"+"'ipt' & more\n")
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if err := p.Serve(w, r, http.StatusTeapot, data); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestThePolicyAllowsWhatIsInThePageAndNothingElse(t *testing.T) {
	t.Parallel()
	w := serve(t, `<script>alert("x")</script>`)
	body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	found := 0
	for element, directive := range map[string]string{"script": "script-src", "style": "style-src"} {
		for _, m := range regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1) {
			found++
			sum := sha256.Sum256([]byte(m[1]))
			if want := directive + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
				t.Errorf("the %s of the page is not allowed: no %s in %s", element, want, policy)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d inline elements, want a style and a script", found)
	}
	if strings.Contains(body, " style=") || regexp.MustCompile(` on[a-z]+=`).MatchString(body) {
		t.Error("an attribute that the policy forbids")
	}
	if w.Code != http.StatusTeapot || !strings.Contains(body, `<a href="./" aria-current="page">`) {
		t.Errorf("status %d, body %s", w.Code, body)
	}
}

func TestAPageThatIsThereIsNotSentItsStyleAgain(t *testing.T) {
	t.Parallel()
	whole, again := serve(t, "x").Body.String(), serve(t, "x", page.LiveHeader, "1").Body.String()
	if strings.Contains(again, "<style>") || strings.Contains(again, "<script>") || !strings.Contains(again, "<h1>x</h1>") {
		t.Error(again)
	}
	if !strings.Contains(whole, page.LiveHeader) {
		t.Error("the script does not know the header")
	}
}

func TestNumbersAsPeopleReadThem(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0": page.Count(0), "999": page.Count(999), "1,000": page.Count(1000), "-1,234,567": page.Count(-1_234_567),
		"0.5": page.Number(0.5), "2.1": page.Number(2.1), "12.3": page.Number(12.34), "123": page.Number(123.4), "1k": page.Number(999.9), "8.36M": page.Number(8_360_000), "–": page.Number(math.NaN()),
		"1 KiB": page.Bytes(1024), "1.5 GiB": page.Bytes(1.5 * (1 << 30)), "20 MiB": page.Bytes(20 << 20),
		"0 s": page.Duration(0), "648 ms": page.Duration(648 * time.Millisecond), "5.5 s": page.Duration(5500 * time.Millisecond), "45 s": page.Duration(45 * time.Second),
		"1 m 50 s": page.Duration(110 * time.Second), "2 h": page.Duration(2 * time.Hour), "1 d 6 h": page.Duration(30*time.Hour + time.Minute), "10 d": page.Duration(240 * time.Hour),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	now := time.Now()
	if got := page.Ago(now, time.Time{}); got != "–" {
		t.Errorf("never: %q", got)
	}
	if got := page.Ago(now, now.Add(time.Second)); got != "0 s" {
		t.Errorf("clocks that disagree: %q", got)
	}
}

func at(s int, values ...float64) page.Point {
	return page.Point{At: time.Unix(1_700_000_000+int64(s), 0), Values: values}
}

func TestAChartSaysWhatItDraws(t *testing.T) {
	t.Parallel()
	c := page.Chart{
		Title: "Lag <of> it", Series: []string{"newest", "committed"}, Format: page.Number, Floating: true,
		Points: []page.Point{at(0, 100, math.NaN()), at(30, 200, 100), at(60, 300, 200)},
	}
	html := string(c.HTML())
	for _, want := range []string{
		`Lag &lt;of&gt; it: 3 samples from 22:13:20 to 22:14:20 UTC`, `<span class="key s1">committed</span>`,
		`d="M0.0 100.00L500.0 50.00L1000.0 0.00"`, `d="M500.0 100.00L1000.0 50.00"`, `22:13:50 · newest 200 · committed 100`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in\n%s", want, html)
		}
	}
	if strings.Contains(html, "NaN") || strings.Contains(html, " style=") {
		t.Error(html)
	}
}

func TestChartsOfNextToNothing(t *testing.T) {
	t.Parallel()
	for name, points := range map[string][]page.Point{
		"no sample":   nil,
		"one sample":  {at(0, 5)},
		"only holes":  {at(0, math.NaN()), at(1, math.NaN())},
		"a flat line": {at(0, 0), at(1, 0)},
	} {
		html := string(page.Chart{Title: "t", Series: []string{"s"}, Points: points, Format: page.Number}.HTML())
		if strings.Contains(html, "NaN") || strings.Contains(html, "Inf") || !strings.HasSuffix(html, "</figure>") {
			t.Errorf("%s: %s", name, html)
		}
	}
	for name, html := range map[string]template.HTML{"meter": page.Meter(1, 0), "shares": page.Shares(nil), "spark": page.Spark([]float64{1})} {
		if html != "" {
			t.Errorf("%s: %s", name, html)
		}
	}
}

func TestAMeterWarnsBeforeTheLimit(t *testing.T) {
	t.Parallel()
	for tone, used := range map[string]float64{"calm": 79, "warn": 80, "bad": 95} {
		if html := string(page.Meter(used, 100)); !strings.Contains(html, `class="`+tone+`"`) {
			t.Errorf("%v of 100: %s", used, html)
		}
	}
	if html := string(page.Meter(300, 100)); !strings.Contains(html, `width="100.0"`) || !strings.Contains(html, "300 percent") {
		t.Error(html)
	}
}
