package browser_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/test/browser/chrome"
)

// allowed reports whether the cloud lets an address block in.
func (d *house) allowed(t *testing.T, block string) bool {
	t.Helper()
	list := d.api(t, "alice", http.MethodPost, "actions/GetAllowedIpList", map[string]string{"InstanceId": instance}, http.StatusOK)
	return strings.Contains(fmt.Sprint(list), block)
}

func TestAnApprovalIsClicked(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	const block = "10.20.30.0/24"
	run := d.askForAccess(t, block)
	p := open(t, wide)
	p.signIn(d, "bob")
	p.await(`document.querySelector('h1').textContent.includes('1 run waits for approval')`)
	hash := d.api(t, "bob", http.MethodGet, "runs/"+run, nil, http.StatusOK)["plan"].(map[string]any)["hash"].(string)
	card := value[string](p, `document.querySelector('[data-do=approve]').closest('section').textContent`)
	for _, want := range []string{"UpdateAllowedIp", block, "absent", "present", "alice", "a new subnet", hash, "guards let it pass"} {
		if !strings.Contains(card, want) {
			t.Errorf("the approval does not say %q: %s", want, card)
		}
	}
	if !strings.Contains(card, "a new subnet <img src=x") || value[bool](p, `document.querySelector('main img') !== null`) {
		t.Error("what people write is not shown as text")
	}
	if d.allowed(t, block) {
		t.Fatal("allowed before anybody approved")
	}

	// No is no.
	p.click("[data-do=approve]")
	p.await(`document.getElementById('ask').open`)
	p.accessible()
	p.press("Escape")
	p.await(`!document.getElementById('ask').open`)
	if got := d.api(t, "bob", http.MethodGet, "runs/"+run, nil, http.StatusOK)["state"]; got != "pending_approval" {
		t.Fatalf("after Escape the run is %v", got)
	}

	p.click("[data-do=approve]")
	p.await(`document.getElementById('ask').open`)
	p.click("#ask-yes")
	p.await(`!document.getElementById('ask').open && document.getElementById('done').textContent.startsWith('Approved.')`)
	p.await(`document.querySelector('#run-` + run + ` .pill')?.textContent === 'applied'`)
	p.await(`document.querySelector('h1').textContent.includes('Nothing waits for you')`)
	p.click("#run-" + run + " summary")
	p.await(`document.querySelector('#run-` + run + `').open`)
	told := value[string](p, `document.querySelector('#run-`+run+`').textContent`)
	for _, want := range []string{"approved by bob", "GetAllowedIpList was read", "RequestId", "done"} {
		if !strings.Contains(told, want) {
			t.Errorf("the run does not say %q: %s", want, told)
		}
	}
	p.accessible()
	if !d.allowed(t, block) {
		t.Error("approved and applied, but the cloud does not let it in")
	}
	p.quiet(d.Admin)
}

func TestWhoeverAskedCannotApprove(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	run := d.askForAccess(t, "10.20.31.0/24")
	p := open(t, wide)
	p.signIn(d, "alice")
	p.await(`document.querySelector('[data-do=approve]')`)
	if !value[bool](p, `document.querySelector('[data-do=approve]').disabled && document.querySelector('[data-do=approve]').closest('p').textContent.includes('may not approve')`) {
		t.Error("alice is offered to approve her own run")
	}
	p.click("[data-do=reject]") // but may take it back
	p.await(`document.getElementById('ask').open && document.activeElement.id === 'reason'`)
	p.types("a mistake")
	p.press("Enter")
	p.await(`document.querySelector('#run-` + run + ` .pill')?.textContent === 'rejected'`)
	if why := d.api(t, "bob", http.MethodGet, "runs/"+run, nil, http.StatusOK)["why"]; why != "rejected by alice: a mistake" {
		t.Errorf("why: %v", why)
	}
	p.quiet(d.Admin)
}

func TestTheKillSwitchIsClicked(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	p := open(t, wide)
	p.signIn(d, "bob")
	p.click("[data-do=stop]")
	p.await(`document.getElementById('ask').open && document.activeElement.id === 'reason'`)
	p.types("a drill")
	p.click("#ask-yes")
	p.await(`document.querySelector('h1').textContent.includes('the kill switch is on')`)
	p.accessible()
	if k := d.api(t, "alice", http.MethodGet, "kill-switch", nil, http.StatusOK); k["stopped"] != true || k["by"] != "bob" || k["reason"] != "a drill" {
		t.Errorf("%v", k)
	}
	refused := d.api(t, "alice", http.MethodPost, "actions/ModifyTopicRemark", map[string]string{"InstanceId": instance, "Topic": "payments", "Remark": "a-drill"}, http.StatusForbidden)
	if !strings.Contains(fmt.Sprint(refused["guards"]), "kill_switch") {
		t.Errorf("%v", refused)
	}
	p.await(`[...document.querySelectorAll('details.run .pill')].some(e => e.textContent === 'refused')`)
	if !value[bool](p, `document.querySelector('#ops').textContent.includes('Stopped by bob') && document.querySelector('#ops').textContent.includes('a drill')`) {
		t.Error("the page does not say who stopped it, and why")
	}

	// Alice may stop, but not let it go on.
	other := open(t, wide)
	other.signIn(d, "alice")
	if !value[bool](other, `document.querySelector('[data-do=start]').disabled`) {
		t.Error("alice is offered to let acting go on")
	}

	p.click("[data-do=start]")
	p.await(`document.getElementById('ask').open`)
	p.click("#ask-yes")
	p.await(`document.querySelector('[data-do=stop]')`)
	if k := d.api(t, "alice", http.MethodGet, "kill-switch", nil, http.StatusOK); k["stopped"] != false {
		t.Errorf("%v", k)
	}
	p.quiet(d.Admin)
}

// tabTo presses Tab until an expression about the focus holds.
func (p *tab) tabTo(expression string) {
	p.t.Helper()
	for range 80 {
		p.press("Tab")
		if value[bool](p, `document.activeElement === document.body`) {
			continue // from the end to the beginning
		}
		p.visibleFocus()
		if value[bool](p, expression) {
			return
		}
	}
	p.t.Fatalf("no stop is %s", expression)
}

func TestAnApprovalByKeyboardAlone(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	run := d.askForAccess(t, "10.20.32.0/24")
	p := open(t, narrow)
	p.signIn(d, "bob")
	p.await(`document.querySelector('[data-do=approve]')`)
	p.tabTo(`document.activeElement.dataset.do === 'approve'`)
	p.press("Enter")
	p.await(`document.getElementById('ask').open && document.activeElement.id === 'ask-yes'`)
	p.visibleFocus()
	for range 6 { // the focus does not leave the question
		p.press("Tab")
		if !value[bool](p, `document.activeElement === document.body || document.getElementById('ask').contains(document.activeElement)`) {
			t.Fatal("the focus went behind the question")
		}
	}
	value[any](p, `document.getElementById('ask-yes').focus(); 0`)
	p.press("Space")
	p.await(`document.querySelector('#run-` + run + ` .pill')?.textContent === 'applied'`)

	// And the switch.
	value[any](p, `document.activeElement.blur(); scrollTo(0, 0); 0`)
	p.tabTo(`document.activeElement.dataset.do === 'stop'`)
	p.press("Enter")
	p.await(`document.activeElement.id === 'reason'`)
	p.press("Enter")
	p.await(`document.querySelector('h1').textContent.includes('the kill switch is on')`)
	p.quiet(d.Admin)
}

func TestTheOperationsPageInDarkAndLightOnADeskAndAPhone(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	d.askForAccess(t, "10.20.33.0/24")
	for _, signedIn := range []bool{false, true} {
		t.Run(fmt.Sprintf("signed in %v", signedIn), func(t *testing.T) {
			t.Parallel()
			p := open(t, wide)
			if signedIn {
				p.signIn(d, "bob")
				p.await(`document.querySelector('[data-do=approve]')`)
				value[any](p, `document.querySelectorAll('details').forEach(e => { e.open = true }); 0`)
			} else {
				p.goTo(d.Admin)
				p.await(`document.activeElement.id === 'token'`)
			}
			for _, look := range []chrome.Look{wide, narrow} {
				for _, look.Dark = range []bool{false, true} {
					p.must(p.Look(t.Context(), look))
					p.await(fmt.Sprintf(`innerWidth === %d`, look.Width))
					p.fits()
					p.accessible()
				}
			}
			p.quiet(d.Admin)
		})
	}
}

func TestATokenStaysInItsTab(t *testing.T) {
	t.Parallel()
	d := newDemo(t)
	p := open(t, wide)
	p.goTo(d.Admin)
	p.await(`document.activeElement.id === 'token'`)
	p.types("a-token-that-opens-nothing")
	p.press("Enter")
	p.await(`document.getElementById('signin-error').textContent.includes('no principal has this token')`)
	if kept := value[string](p, `JSON.stringify(sessionStorage) + JSON.stringify(localStorage) + document.cookie`); kept != "{}{}" {
		t.Errorf("a wrong token is kept: %s", kept)
	}
	troubles := slices.DeleteFunc(p.Troubles(), func(s string) bool { return strings.Contains(s, "401") })
	if len(troubles) > 0 {
		t.Errorf("console: %q", troubles)
	}
	p.signIn(d, "bob")
	token := d.token(t, "bob")
	if value[string](p, `sessionStorage.token`) != token {
		t.Error("the token is not kept in the tab")
	}
	if kept := value[string](p, `JSON.stringify(localStorage) + document.cookie + location.href + document.documentElement.outerHTML`); strings.Contains(kept, token) {
		t.Error("the token is where it does not belong")
	}
	p.goTo(d.Admin) // again, without typing
	p.await(`document.querySelector('#ops b')?.textContent === 'bob'`)
	p.click("[data-do=forget]")
	p.await(`document.activeElement.id === 'token'`)
	if kept := value[string](p, `JSON.stringify(sessionStorage)`); kept != "{}" || value[string](p, `document.getElementById('ops').textContent`) != "" {
		t.Errorf("forgotten, but there is %s", kept)
	}
	p.quiet(d.Admin)
}
