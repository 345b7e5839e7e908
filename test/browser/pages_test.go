package browser_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/test/browser/chrome"
)

// telemetryPages are the pages of the telemetry listener by name.
func telemetryPages() map[string]string {
	group := "consumer-group?" + url.Values{"instance_id": {instance}, "consumer_group": {group}}.Encode()
	return map[string]string{
		"overview": "", "groups": "consumer-groups", "search": "consumer-groups?search=or&status=ok", "nothing found": "consumer-groups?search=no-such-thing",
		"group": group, "instance": "instance?instance_id=" + instance, "configuration": "config", "unknown": "instance?instance_id=none",
	}
}

// wide and narrow are a desk and a phone.
var (
	wide   = chrome.Look{Width: 1280, Height: 900}
	narrow = chrome.Look{Width: 360, Height: 740}
)

// fits fails the test where the page must be scrolled sideways.
func (p *tab) fits() {
	p.t.Helper()
	if over := value[[]string](p, `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('main *, header *')]
		.filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.parentElement.closest('.table, pre')).map(e => e.outerHTML.slice(0, 120)).concat('scrollWidth ' + document.documentElement.scrollWidth)`); len(over) > 0 {
		p.t.Errorf("wider than the window: %s", strings.Join(over, "\n"))
	}
}

func TestEveryPageInDarkAndLightOnADeskAndAPhone(t *testing.T) {
	t.Parallel()
	d := readOnly(t)
	for name, at := range telemetryPages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, wide)
			p.goTo(d.Pages + at)
			grounds := map[string]bool{}
			for _, look := range []chrome.Look{wide, narrow} {
				for _, dark := range []bool{false, true} {
					look.Dark = dark
					p.must(p.Look(t.Context(), look))
					p.await(fmt.Sprintf(`innerWidth === %d && matchMedia('(prefers-color-scheme: dark)').matches === %v`, look.Width, dark))
					grounds[value[string](p, `getComputedStyle(document.body).backgroundColor`)] = true
					p.fits()
					p.accessible()
				}
			}
			if len(grounds) != 2 {
				t.Errorf("dark and light have the grounds %v", grounds)
			}
			troubles := slices.DeleteFunc(p.Troubles(), func(s string) bool { return name == "unknown" && strings.Contains(s, "404") })
			if len(troubles) > 0 {
				t.Errorf("console: %q", troubles)
			}
			p.quiet(d.Pages)
		})
	}
}

func TestPagesCanBeReadWithoutScripts(t *testing.T) {
	t.Parallel()
	d := readOnly(t)
	p := open(t, chrome.Look{Width: 1280, Height: 900, NoScript: true})
	for at, want := range map[string]string{
		"":                                 "Consumer groups",
		"consumer-groups?search=" + group:  group,
		telemetryPages()["group"]:          group,
		"instance?instance_id=" + instance: instance,
		"config":                           "access_key_secret: <secret>",
	} {
		p.goTo(d.Pages + at)
		ctx, cancel := p.context()
		text, err := p.Text(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, want) {
			t.Errorf("no %q on %s", want, at)
		}
		if strings.Contains(text, "Pause") {
			t.Errorf("%s offers what needs scripts", at)
		}
	}
}

func TestAPageStaysLiveAndKeepsItsPlace(t *testing.T) {
	t.Parallel()
	d := readOnly(t)
	p := open(t, wide)
	p.goTo(d.Pages + "consumer-groups")
	value[any](p, `window.never = 'reloaded'; document.querySelector('tbody a').focus(); window.link = document.activeElement; window.first = document.querySelector('tbody').textContent; 0`)
	value[any](p, `document.getElementById('search').value = 'half typed'; 0`)
	p.await(`document.querySelector('tbody').textContent !== window.first`)
	if !value[bool](p, `window.never === 'reloaded' && document.activeElement === window.link && document.getElementById('search').value === 'half typed'`) {
		t.Error("the refresh lost the focus, or what was typed")
	}
	p.await(`document.getElementById('live').textContent === 'live'`)
	p.quiet(d.Pages)

	// Paused, it asks for nothing.
	p.click("#pause")
	p.await(`document.getElementById('live').textContent === 'paused'`)
	asked := len(p.Asked())
	value[any](p, `new Promise(r => setTimeout(r, 7000))`)
	if more := p.Asked()[asked:]; len(more) > 0 {
		t.Errorf("a paused page asked for %v", more)
	}
	p.click("#pause")
	p.await(`document.getElementById('live').textContent === 'live'`)
}

func TestAPageSaysWhenTheServerIsGone(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	p := open(t, wide)
	p.goTo(d.Pages)
	d.Stop()
	p.await(`document.getElementById('live').dataset.state === 'stale'`)
	p.await(`/no answer [1-9][0-9]* s old/.test(document.getElementById('live').textContent + ' ' + document.getElementById('live').dataset.age)`)
	if after := value[string](p, `document.querySelector('tbody').textContent`); after == "" {
		t.Error("what was known is gone")
	}
}

func TestTheThemeIsAsChosen(t *testing.T) {
	t.Parallel()
	d := readOnly(t)
	p := open(t, wide)
	p.goTo(d.Pages)
	ground := func() string { return value[string](p, `getComputedStyle(document.body).backgroundColor`) }
	auto := ground()
	p.click("#theme")
	p.click("#theme")
	p.await(`document.getElementById('theme').textContent === 'Theme: dark'`)
	dark := ground()
	if dark == auto {
		t.Errorf("dark is as light: %s", dark)
	}
	p.goTo(d.Pages + "consumer-groups")
	if got := ground(); got != dark {
		t.Errorf("the next page is %s, not %s", got, dark)
	}
	p.accessible()
	p.click("#theme")
	p.await(`document.getElementById('theme').textContent === 'Theme: auto'`)
	if got := ground(); got != auto {
		t.Errorf("back to auto is %s, not %s", got, auto)
	}
	p.quiet(d.Pages)
}

// visibleFocus fails the test unless the element that has the focus shows it.
func (p *tab) visibleFocus() {
	p.t.Helper()
	if got := value[string](p, `(() => {
		const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect()
		if (b.width === 0 || b.bottom < 0 || b.top > innerHeight) return 'out of sight: ' + e.outerHTML.slice(0, 150)
		return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 ? '' : 'no outline: ' + e.outerHTML.slice(0, 150)
	})()`); got != "" {
		p.t.Error(got)
	}
}

func TestTheOverviewByKeyboardAlone(t *testing.T) {
	t.Parallel()
	d := readOnly(t)
	p := open(t, wide)
	p.goTo(d.Pages)
	p.press("Tab")
	if got := value[string](p, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q", got)
	}
	p.press("Enter")
	p.await(`document.activeElement.id === 'main'`)
	// Paused, lest a row come or go meanwhile: from there to the end, and around
	// from the beginning.
	p.goTo(d.Pages)
	p.click("#pause")
	p.await(`document.getElementById('live').textContent === 'paused' && document.activeElement.id === 'pause'`)
	stops := 1
	total := value[int](p, `[...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')].filter(e => e.offsetParent !== null).length`)
	for range 2 * total {
		p.press("Tab")
		if value[bool](p, `document.activeElement === document.body`) {
			continue
		}
		if value[bool](p, `document.activeElement.id === 'pause'`) {
			break
		}
		p.visibleFocus()
		stops++
	}
	if stops < 15 || stops < total {
		t.Errorf("%d stops, and there is %d to stop at", stops, total)
	}

	// To a group by its name, without a mouse.
	p.goTo(d.Pages + "consumer-groups")
	value[any](p, `document.getElementById('search').focus(); 0`)
	p.types(group)
	p.press("Enter")
	p.await(`document.querySelectorAll('tbody tr').length === 1`)
	for range 40 {
		if value[bool](p, `document.activeElement.textContent === '`+group+`'`) {
			break
		}
		p.press("Tab")
	}
	p.press("Enter")
	p.await(`document.querySelector('h1')?.textContent.includes('` + group + `')`)
	p.quiet(d.Pages)
}
