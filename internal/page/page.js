
'use strict'
// The behaviour that all pages share: the theme, and staying live.
const root = document.documentElement
const store = (area, key, value) => { // storage may be forbidden
	try {
		if (value === undefined) return window[area].getItem(key)
		if (value === null) window[area].removeItem(key)
		else window[area].setItem(key, value)
	} catch { }
	return null
}
const themes = ['auto', 'light', 'dark']
const setTheme = theme => {
	if (theme === 'auto') delete root.dataset.theme
	else root.dataset.theme = theme
	store('localStorage', 'theme', theme === 'auto' ? null : theme)
	const button = document.getElementById('theme')
	if (button) button.textContent = 'Theme: ' + theme
}
const theme = () => root.dataset.theme || 'auto'
setTheme(themes.includes(store('localStorage', 'theme')) ? store('localStorage', 'theme') : 'auto')

// morph makes a look like b and keeps what is the same, so that focus,
// selection, scrolling and what is folded out stay.
const morph = (a, b) => {
	if (a.isEqualNode(b)) return
	if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName || a.id !== b.id) return a.replaceWith(b)
	if (a.nodeType !== Node.ELEMENT_NODE) {
		if (a.nodeValue !== b.nodeValue) a.nodeValue = b.nodeValue
		return
	}
	if (a.dataset.keep !== undefined) return
	for (const {name} of [...a.attributes]) if (!b.hasAttribute(name) && !(a.nodeName === 'DETAILS' && name === 'open')) a.removeAttribute(name)
	for (const {name, value} of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value)
	const old = [...a.childNodes], next = [...b.childNodes]
	next.forEach((node, i) => old[i] ? morph(old[i], node) : a.append(node))
	old.slice(next.length).forEach(node => node.remove())
}

// live runs refresh every few seconds while somebody looks, and says how old
// the page is.
const live = {
	every: 5000,
	paused: false,
	at: Date.now(),
	failed: '',
	refresh: async () => {
		const reply = await fetch(location.href, {headers: {'Alikafka-Exporter-Live': '1'}, cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(10000)})
		if (!(reply.headers.get('Content-Type') || '').startsWith('text/html') || reply.status >= 500) throw new Error('status ' + reply.status)
		const page = new DOMParser().parseFromString(await reply.text(), 'text/html')
		document.title = page.title
		morph(document.getElementById('main'), page.getElementById('main'))
	},
	async run() {
		clearTimeout(this.timer)
		if (!this.paused && !document.hidden) {
			try {
				await this.refresh()
				this.at = Date.now()
				this.failed = ''
			} catch (e) {
				this.failed = e.message || 'no answer'
			}
		}
		this.show()
		clearTimeout(this.timer)
		this.timer = setTimeout(() => this.run(), this.every)
	},
	show() {
		const label = document.getElementById('live'), age = Math.round((Date.now() - this.at) / 1000)
		const state = this.failed ? 'stale' : this.paused || document.hidden ? 'paused' : 'live'
		const text = state === 'stale' ? 'no answer' : state
		if (label.textContent !== text) label.textContent = text // it is read out; the seconds are not
		label.title = this.failed
		label.dataset.state = state
		label.dataset.age = state === 'live' ? '' : age + ' s old'
		document.body.classList.toggle('stale', state === 'stale')
	},
}

// Charts tell the sample under the pointer, or the one that arrow keys chose.
const samplesOf = figure => JSON.parse(figure.dataset.samples) // of [share of the width, text]
const tell = (figure, i) => {
	const sample = samplesOf(figure)[i], svg = figure.querySelector('svg')
	if (!sample) return
	figure.dataset.at = i
	figure.querySelector('.read').textContent = sample[1]
	let cross = svg.querySelector('.cross')
	if (!cross) {
		cross = document.createElementNS('http://www.w3.org/2000/svg', 'path')
		cross.setAttribute('class', 'cross')
		svg.append(cross)
	}
	cross.setAttribute('d', 'M' + sample[0] * 1000 + ' 0V100')
}
const hush = figure => {
	figure.querySelector('.read').textContent = ''
	figure.querySelector('.cross')?.remove()
}
for (const type of ['pointermove', 'pointerdown']) {
	document.addEventListener(type, e => {
		const svg = e.target.closest?.('.plot')?.querySelector('svg')
		if (!svg) return
		const box = svg.getBoundingClientRect(), share = (e.clientX - box.left) / box.width, figure = svg.closest('figure')
		const away = samplesOf(figure).map(([x]) => Math.abs(x - share))
		tell(figure, away.indexOf(Math.min(...away)))
	})
}
document.addEventListener('pointerout', e => {
	const figure = e.target.closest?.('figure.chart')
	if (figure && !figure.contains(e.relatedTarget) && document.activeElement !== figure) hush(figure)
})
document.addEventListener('focusout', e => { if (e.target.matches?.('figure.chart')) hush(e.target) })
document.addEventListener('keydown', e => {
	if (!e.target.matches?.('figure.chart')) return
	const last = samplesOf(e.target).length - 1, at = Number(e.target.dataset.at ?? last + 1)
	const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last}[e.key]
	if (to === undefined) return
	e.preventDefault()
	tell(e.target, Math.max(0, Math.min(to, last)))
})

document.addEventListener('DOMContentLoaded', () => {
	document.getElementById('tools').hidden = false
	setTheme(theme())
	document.getElementById('theme').addEventListener('click', () => setTheme(themes[(themes.indexOf(theme()) + 1) % themes.length]))
	const pause = document.getElementById('pause')
	pause.addEventListener('click', () => {
		live.paused = !live.paused
		pause.textContent = live.paused ? 'Resume' : 'Pause'
		live.run()
	})
	document.addEventListener('visibilitychange', () => live.run())
	setInterval(() => live.show(), 1000)
	live.show()
	live.timer = setTimeout(() => live.run(), live.every)
})
