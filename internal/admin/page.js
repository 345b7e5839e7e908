
// The operations page: what waits for people, what was done, and the switch.
const ops = {
	token: store('sessionStorage', 'token') || '',
	data: null,
}

// el makes an element; texts are only ever texts.
const el = (name, attributes, ...children) => {
	const e = document.createElement(name)
	for (const [key, value] of Object.entries(attributes || {})) {
		if (value === false || value === undefined || value === null) continue
		e.setAttribute(key, value === true ? '' : value)
	}
	e.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false && c !== ''))
	return e
}

const ask = async (method, path, body) => {
	const headers = {Authorization: 'Bearer ' + ops.token, 'Alikafka-Exporter-Page': '1'}
	if (body !== undefined) headers['Content-Type'] = 'application/json'
	const reply = await fetch('api/v1/' + path, {method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(60000)})
	const answer = await reply.json().catch(() => ({}))
	if (reply.ok) return answer
	const error = new Error([answer.title, answer.detail, ...(answer.guards || []).map(g => 'guard ' + g.guard + ': ' + g.message), answer.request_id && 'RequestId ' + answer.request_id].filter(Boolean).join('. ') || 'status ' + reply.status)
	error.status = reply.status
	throw error
}

// Words.
const tones = {
	pending_approval: 'warn', needs_human: 'bad', applied: 'good', unchanged: 'good', not_applied: 'bad', refused: 'bad',
	rejected: 'calm', expired: 'calm', void: 'calm', dry_run: 'calm', queued: 'calm', running: 'warn', verifying: 'warn', reconciling: 'warn',
}
const words = text => String(text || '').replaceAll('_', ' ')
const pill = (tone, text) => el('span', {class: 'pill ' + (tone || 'calm')}, text)
const span = seconds => {
	seconds = Math.max(0, Math.round(seconds))
	for (const [size, name, next, small] of [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'm'], [60, 'm', 1, 's']]) {
		if (seconds < size) continue
		const rest = Math.floor(seconds % size / next)
		return Math.floor(seconds / size) + ' ' + name + (rest ? ' ' + rest + ' ' + small : '')
	}
	return seconds + ' s'
}
const ago = t => t ? el('time', {datetime: t, title: t}, span((Date.now() - new Date(t)) / 1000) + ' ago') : '–'
const short = hash => String(hash || '').slice(0, 12)
const targetOf = run => {
	const t = run.plan.target
	return t.name ? t.name : t.instance_id || t.account
}
const who = actor => actor ? actor.principal + (actor.kind === 'webhook' ? ' (webhook)' : '') : '–'

const table = (caption, heads, rows, style = '') => el('div', {class: 'table ' + style, role: 'group', 'aria-label': caption, tabindex: '0'}, el('table', {},
	el('caption', {class: 'hush'}, caption),
	el('thead', {}, el('tr', {}, heads.map(h => el('th', {scope: 'col'}, h)))),
	el('tbody', {}, rows)))

// diff shows what is, and what will be; what changes comes first.
const diff = plan => {
	const pre = plan.pre || {}, desired = plan.desired || {}
	const names = [...new Set([...Object.keys(desired), ...Object.keys(pre)])]
	const changes = names.filter(n => n in desired && pre[n] !== desired[n]), same = names.filter(n => !changes.includes(n))
	const row = n => el('tr', {class: changes.includes(n) ? 'changed' : 'same'}, el('th', {scope: 'row'}, words(n)),
		el('td', {class: 'mono'}, pre[n] ?? '–'), el('td', {class: 'mono'}, n in desired ? desired[n] || '–' : pre[n] ?? '–'))
	return names.length === 0 ? null : table('Now, and as planned', ['What', 'Now', 'As planned'], [...changes, ...same].map(row), 'diff')
}

const verdicts = run => {
	const all = run.verdicts || [], bad = all.filter(v => !v.ok)
	if (!all.length) return null
	const row = v => el('tr', {}, el('td', {}, pill(v.ok ? 'good' : 'bad', v.ok ? 'pass' : 'refuse')), el('th', {scope: 'row'}, words(v.guard)), el('td', {}, v.value || '–'), el('td', {}, v.limit || '–'), el('td', {class: 'why'}, v.message || ''))
	return el('details', {id: 'guards-' + run.id, open: bad.length > 0},
		el('summary', {}, bad.length ? bad.length + ' of ' + all.length + ' guards refuse' : 'All ' + all.length + ' guards let it pass'),
		table('Guards', ['Verdict', 'Guard', 'Found', 'Allowed', 'Why'], [...bad, ...all.filter(v => v.ok)].map(row)))
}

const calls = run => !(run.calls || []).length ? null : [el('h3', {}, 'Calls'),
	table('Calls', ['Sent', 'Action', 'Outcome', 'Took', 'RequestId'], run.calls.map(c => el('tr', {}, el('td', {}, ago(c.at)), el('th', {scope: 'row'}, c.action),
		el('td', {}, pill({done: 'good', not_done: 'bad'}[c.outcome] || 'warn', words(c.outcome || 'not known yet')), ' ', c.code && c.code !== 'ok' ? el('code', {}, c.code) : '', ' ', c.message || ''),
		el('td', {class: 'n'}, c.took ? Math.round(c.took / 1e6) + ' ms' : '–'), el('td', {}, c.request_id ? el('code', {}, c.request_id) : '–'))))]

const verification = run => {
	const v = run.verification
	if (!v || !v.reads) return null
	return [el('h3', {}, 'Verification'), el('p', {}, run.plan.confirm + ' was read ' + v.reads + (v.reads === 1 ? ' time' : ' times') + ', last ', ago(v.at), '; ' + v.agreed + ' in a row agree.', v.error ? ' ' + v.error : ''),
		v.facts ? el('dl', {class: 'facts'}, Object.entries(v.facts).map(([k, f]) => [el('dt', {}, words(k)), el('dd', {class: 'mono'}, f)])) : null]
}

const facts = run => el('dl', {class: 'facts'}, [
	['Target', [run.plan.target.kind && words(run.plan.target.kind) + ' ', el('b', {}, targetOf(run)), ' ', el('span', {class: 'dim mono'}, run.plan.target.instance_id || ''), ' ', el('span', {class: 'dim'}, [run.plan.target.region_id, run.plan.target.account].filter(Boolean).join(', '))]],
	['Asked by', [who(run.actor), ' ', ago(run.created), run.runbook ? ', runbook ' + run.runbook : '', run.alert && run.alert.alertname ? ', alert ' + run.alert.alertname : '']],
	['Reason', run.reason],
	['Effect', run.plan.effect && [run.plan.effect, run.plan.confirm ? [el('span', {class: 'dim'}, ', confirmed by ' + run.plan.confirm)] : '']],
	['Will send', Object.keys(run.plan.params || {}).length ? el('code', {}, Object.entries(run.plan.params).map(([k, v]) => k + '=' + v).join('  ')) : ''],
	['Plan hash', run.plan.hash && el('code', {}, run.plan.hash)],
	['Approvals', (run.approvals || []).map(a => [a.rejected ? 'rejected by ' : 'approved by ', who(a.actor), ' ', ago(a.at), ' '])],
	['Looked at by', run.resolved_by && who(run.resolved_by)],
	['Run', el('code', {}, run.id)],
].filter(([, value]) => value && (!Array.isArray(value) || value.length)).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]))

const title = run => run.action + ' · ' + targetOf(run)

// approval is a run that waits for people.
const approval = run => {
	const me = ops.data.me, own = run.actor.principal === me.name, have = (run.approvals || []).filter(a => !a.rejected).length
	const why = !me.may_approve ? 'Your token may not approve.' : own ? 'You asked for it: somebody else has to approve.' : ''
	return el('section', {class: 'box warn card', 'aria-labelledby': 'run-' + run.id},
		el('h3', {id: 'run-' + run.id}, title(run), ' ', el('small', {}, have + ' of ' + run.plan.approvals + (run.plan.approvals === 1 ? ' approval' : ' approvals') + (run.expires_at ? ', expires in ' + span((new Date(run.expires_at) - Date.now()) / 1000) : ''))),
		diff(run.plan), facts(run), verdicts(run),
		el('p', {class: 'filters'},
			el('button', {type: 'button', class: 'go', 'data-do': 'approve', 'data-run': run.id, disabled: why !== ''}, 'Approve…'),
			el('button', {type: 'button', 'data-do': 'reject', 'data-run': run.id, disabled: !me.may_approve && !own}, 'Reject…'),
			el('span', {class: 'dim'}, why)))
}

const human = run => el('section', {class: 'box bad card', 'aria-labelledby': 'run-' + run.id},
	el('h3', {id: 'run-' + run.id}, title(run), ' ', pill('bad', words(run.state))), el('p', {}, run.why || ''), diff(run.plan), facts(run), calls(run), verification(run),
	el('p', {class: 'filters'}, el('button', {type: 'button', 'data-do': 'resolve', 'data-run': run.id, disabled: !ops.data.me.may_approve}, 'I have looked…')))

// row is a run in the list; it folds out.
const row = run => el('details', {class: 'run', id: 'run-' + run.id},
	el('summary', {}, pill(tones[run.state], words(run.state)), el('b', {}, run.action), el('span', {class: 'name'}, targetOf(run)), el('span', {class: 'dim'}, who(run.actor) + (run.runbook ? ', ' + run.runbook : '')), el('span', {class: 'dim n'}, ago(run.updated))),
	el('div', {class: 'inside'}, run.why ? el('p', {}, run.why) : null, diff(run.plan), facts(run), verdicts(run), calls(run), verification(run)))

const killSwitch = () => {
	const k = ops.data.kill, stopped = k.stopped || k.breaker_open
	const why = [k.stopped && 'by ' + (k.by || (k.sources || []).join(', ')), k.at && !k.at.startsWith('0001') && 'since ' + k.at.slice(11, 19) + ' UTC', k.reason && '“' + k.reason + '”'].filter(Boolean).join(', ')
	const elsewhere = (k.sources || []).filter(s => s !== 'api')
	return el('section', {class: 'box card switch ' + (stopped ? 'bad' : 'good'), 'aria-labelledby': 'kill'},
		el('div', {}, el('h2', {id: 'kill'}, 'Kill switch ', pill(k.stopped ? 'bad' : 'good', k.stopped ? 'on: nothing is done' : 'off: acting')),
			k.stopped ? el('p', {}, 'Stopped ', why, '.') : el('p', {class: 'dim'}, 'Whatever is approved or automatic is done.'),
			k.breaker_open ? el('p', {}, pill('bad', 'breaker open'), ' ', k.why || '') : null,
			elsewhere.length ? el('p', {}, 'It is also held by: ' + elsewhere.join(', ') + '. This page cannot release that.') : null,
			ops.data.me.not_acting ? el('p', {class: 'bad-ink'}, ops.data.me.not_acting) : null),
		el('div', {}, k.stopped ? null : el('button', {type: 'button', class: 'stop', 'data-do': 'stop'}, 'Stop acting…'),
			stopped ? el('button', {type: 'button', 'data-do': 'start', disabled: !ops.data.me.privileged, title: ops.data.me.privileged ? null : 'Your token may not let acting go on.'}, 'Let acting go on…') : null))
}

const episodes = () => !ops.data.episodes.length ? el('p', {class: 'dim'}, 'No alert has come yet.') :
	table('Episodes', ['Opened', 'Runbook', 'Instance', 'Outcome', 'Why', 'Effect', 'Ended'], ops.data.episodes.slice(0, 50).map(e => el('tr', {},
		el('td', {}, ago(e.opened)), el('th', {scope: 'row'}, e.runbook, ' ', el('span', {class: 'dim'}, e.mode)), el('td', {class: 'mono'}, e.instance_id || '–'),
		el('td', {}, words(e.run_state || e.outcome || 'waiting')), el('td', {class: 'why'}, e.why || ''), el('td', {}, words(e.effect) || '–'), el('td', {}, e.ended && !e.ended.startsWith('0001') ? ago(e.ended) : 'firing'))))

const guards = () => {
	const refused = {}
	for (const run of ops.data.runs) for (const v of run.verdicts || []) if (!v.ok) (refused[v.guard] ||= []).push(run)
	const names = Object.keys(refused).map(words).join(', ')
	return [el('details', {id: 'guards'}, el('summary', {}, ops.data.guards.guards.length + ' guards' + (names ? '; refused something: ' + names : '; none has refused anything')),
		table('Guards', ['Guard', 'What it sees to', 'Refused', 'Last'], ops.data.guards.guards.map(g => el('tr', {}, el('th', {scope: 'row', class: 't'}, words(g.guard)), el('td', {class: 'why'}, g.about),
		el('td', {class: 'n'}, String((refused[g.guard] || []).length)), el('td', {class: 't'}, refused[g.guard] ? ago(refused[g.guard][0].updated) : '–'))))),
	el('details', {id: 'limits'}, el('summary', {}, 'Limits in force'), el('pre', {tabindex: '0', 'aria-label': 'Limits'}, ops.data.guards.limits))]
}

const render = () => {
	const {me, runs, kill} = ops.data
	const pending = runs.filter(r => r.state === 'pending_approval'), stuck = runs.filter(r => r.state === 'needs_human' && !r.resolved_by)
	const rest = runs.filter(r => !pending.includes(r) && !stuck.includes(r))
	const many = (n, one, more) => n + ' ' + (n === 1 ? one : more)
	const headline = kill.stopped || kill.breaker_open ? ['bad', 'stopped', 'Nothing is done: ' + (kill.stopped ? 'the kill switch is on' : 'the breaker is open')]
		: stuck.length ? ['bad', 'look', many(stuck.length, 'run needs', 'runs need') + ' a human']
			: pending.length ? ['warn', 'waiting', many(pending.length, 'run waits', 'runs wait') + ' for approval']
				: ['good', 'ok', 'Nothing waits for you']
	document.title = headline[2] + ' · alikafka-exporter'
	const next = el('div', {id: 'ops'},
		el('div', {class: 'who'}, el('p', {class: 'dim'}, 'You are ', el('b', {}, me.name), me.may_approve ? ', may approve' : '', me.privileged ? ', may let acting go on' : '', '. '), el('button', {type: 'button', 'data-do': 'forget'}, 'Forget the token')),
		killSwitch(),
		stuck.length ? [el('h2', {}, 'Needs a human'), stuck.map(human)] : null,
		el('h2', {}, 'Waiting for approval'), pending.length ? pending.map(approval) : el('p', {class: 'dim'}, 'Nothing.'),
		el('h2', {}, 'Runs ', el('small', {}, 'the newest first')), rest.length ? el('div', {class: 'runs'}, rest.slice(0, 100).map(row)) : el('p', {class: 'dim'}, 'None yet.'),
		el('h2', {}, 'Episodes ', el('small', {}, 'what runbooks made of alerts')), episodes(),
		el('h2', {}, 'Guards ', el('small', {}, 'refusals are of the runs above')), guards())
	morph(document.getElementById('ops'), next)
	const h1 = document.querySelector('h1')
	morph(h1, el('h1', {}, pill(headline[0], headline[1]), ' ' + headline[2]))
}

const signedOut = message => {
	ops.token = ''
	ops.data = null
	store('sessionStorage', 'token', null)
	document.getElementById('ops').replaceChildren()
	document.querySelector('h1').textContent = 'Operations'
	document.title = 'Operations · alikafka-exporter'
	document.getElementById('signin').hidden = false
	document.getElementById('signin-error').textContent = message || ''
	document.getElementById('token').focus()
}

live.every = 3000
live.refresh = async () => {
	if (!ops.token) return
	try {
		const [me, runs, kill, eps, gs] = await Promise.all(['principal', 'runs', 'kill-switch', 'episodes', 'guards'].map(path => ask('GET', path)))
		ops.data = {me, runs: runs.runs || [], kill, episodes: eps.episodes || [], guards: gs}
	} catch (e) {
		if (e.status === 401 || e.status === 403) return signedOut(e.message)
		throw e
	}
	document.getElementById('signin').hidden = true
	render()
}

// confirm asks before something is done; act does it and returns what to say.
const confirmed = (heading, body, yes, style, act) => {
	const dialog = document.getElementById('ask'), button = document.getElementById('ask-yes')
	document.getElementById('ask-title').textContent = heading
	document.getElementById('ask-body').replaceChildren(...body)
	document.getElementById('ask-error').textContent = ''
	button.textContent = yes
	button.className = style
	button.disabled = false
	const go = async () => {
		button.disabled = true
		try {
			document.getElementById('done').textContent = await act()
			dialog.close()
		} catch (e) {
			document.getElementById('ask-error').textContent = e.message
			button.disabled = false
		}
		live.run()
	}
	dialog.querySelector('form').onsubmit = e => {
		e.preventDefault()
		go()
	}
	document.getElementById('ask-no').onclick = () => dialog.close()
	dialog.showModal()
	;(dialog.querySelector('input') || button).focus()
}

const reason = () => el('p', {}, el('label', {for: 'reason'}, 'Reason'), el('input', {type: 'text', id: 'reason', maxlength: '200', autocomplete: 'off'}))
const given = () => document.getElementById('reason').value.trim()
const things = {
	approve: run => confirmed('Approve ' + title(run) + '?', [diff(run.plan), el('p', {class: 'dim'}, 'Plan ', el('code', {}, short(run.plan.hash) + '…'), '. If the cloud has changed since, nothing is sent.')].filter(Boolean), 'Approve', 'go',
		async () => 'Approved. The run is ' + words((await ask('POST', 'runs/' + run.id + '/approve', {plan_hash: run.plan.hash})).state) + '.'),
	reject: run => confirmed('Reject ' + title(run) + '?', [reason()], 'Reject', 'stop',
		async () => 'Rejected. The run is ' + words((await ask('POST', 'runs/' + run.id + '/reject', {plan_hash: run.plan.hash, reason: given()})).state) + '.'),
	resolve: run => confirmed('You have looked at ' + title(run) + '?', [el('p', {}, 'It will no longer be shown as needing a human. Nothing is sent.')], 'I have looked', 'go',
		async () => { await ask('POST', 'runs/' + run.id + '/resolve', {}); return 'Noted.' }),
	stop: () => confirmed('Stop acting?', [el('p', {}, 'Nothing more is sent to the cloud until somebody privileged lets acting go on. What was sent already is still verified.'), reason()], 'Stop acting', 'stop',
		async () => { await ask('PUT', 'kill-switch', {stop: true, reason: given()}); return 'Acting is stopped.' }),
	start: () => confirmed('Let acting go on?', [el('p', {}, 'Runs that are approved or automatic are done again. This also closes the breaker.'), reason()], 'Let acting go on', 'go',
		async () => { await ask('PUT', 'kill-switch', {stop: false, reason: given()}); return 'Acting goes on.' }),
	forget: () => signedOut(),
}

document.addEventListener('click', e => {
	const button = e.target.closest?.('button[data-do]')
	if (button && !button.disabled) things[button.dataset.do](ops.data?.runs.find(r => r.id === button.dataset.run))
})

document.addEventListener('DOMContentLoaded', () => {
	document.getElementById('signin').addEventListener('submit', async e => {
		e.preventDefault()
		const field = document.getElementById('token')
		ops.token = field.value.trim()
		field.value = ''
		document.getElementById('signin-error').textContent = ''
		await live.run()
		if (ops.data) {
			store('sessionStorage', 'token', ops.token)
			document.getElementById('main').focus()
		} else if (ops.token) {
			document.getElementById('signin-error').textContent = live.failed
			ops.token = ''
		}
	})
	if (ops.token) live.run()
	else signedOut()
})
