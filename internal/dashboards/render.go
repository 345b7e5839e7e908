package dashboards

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The model of a dashboard as Grafana 11 and 12 keep it.
const (
	schemaVersion = 41
	pluginVersion = "11.6.0"
	gridColumns   = 24
)

type object = map[string]any

func source() object { return object{"type": "prometheus", "uid": "${datasource}"} }

// model is what is in the file. all are the dashboards that this one links to.
func (b board) model(all []board) (object, error) {
	panels, err := b.panels()
	if err != nil {
		return nil, err
	}
	marks, err := b.marks()
	if err != nil {
		return nil, err
	}
	return object{
		"uid": b.uid, "title": b.title, "description": b.about, "tags": []string{"alikafka", "kafka"},
		"schemaVersion": schemaVersion, "version": 1, "editable": true, "graphTooltip": 1,
		"time": object{"from": "now-1h", "to": "now"}, "refresh": "30s", "timezone": "browser", "timepicker": object{}, "weekStart": "",
		"fiscalYearStartMonth": 0, "liveNow": false, "preload": false,
		"templating":  object{"list": b.templating()},
		"annotations": object{"list": marks},
		"links":       b.links(all),
		"panels":      panels,
	}, nil
}

func (b board) templating() []object {
	list := []object{{
		"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "regex": "", "refresh": 1,
		"hide": 0, "multi": false, "includeAll": false, "skipUrlSync": false, "options": []object{}, "current": object{},
	}}
	for _, v := range b.variables {
		values := fmt.Sprintf("label_values(%s{%s}, %s)", v.metric, v.within, v.name)
		if v.within == "" {
			values = fmt.Sprintf("label_values(%s, %s)", v.metric, v.name)
		}
		o := object{
			"type": "query", "name": v.name, "label": v.label, "datasource": source(), "definition": values,
			"query": object{"qryType": 1, "query": values, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
			"regex": "", "refresh": 2, "sort": 1, "hide": 0, "multi": v.many, "includeAll": v.many, "skipUrlSync": false, "options": []object{}, "current": object{},
		}
		if v.many {
			o["allValue"] = ".*"
			o["current"] = object{"text": []string{"All"}, "value": []string{"$__all"}}
		}
		if v.hidden {
			o["hide"] = 2
		}
		list = append(list, o)
	}
	return list
}

func (b board) marks() ([]object, error) {
	list := []object{{
		"builtIn": 1, "type": "dashboard", "name": "Annotations & Alerts", "datasource": object{"type": "grafana", "uid": "-- Grafana --"},
		"enable": true, "hide": true, "iconColor": notice,
	}}
	for _, a := range b.annotations {
		expr, err := expand(a.query, b.selector)
		if err != nil {
			return nil, fmt.Errorf("annotation %s: %w", a.name, err)
		}
		o := object{
			"name": a.name, "datasource": source(), "enable": true, "hide": false, "iconColor": a.color,
			"expr": expr, "step": "60s", "titleFormat": a.title, "textFormat": "", "tagKeys": "",
		}
		if a.valueIsTime {
			o["useValueForTime"] = true
		}
		list = append(list, o)
	}
	return list, nil
}

// links leads to the other dashboards, with time and variables.
func (b board) links(all []board) []object {
	var list []object
	for _, other := range all {
		if other.uid != b.uid {
			list = append(list, object{
				"type": "link", "title": strings.TrimPrefix(other.title, "Alikafka / "), "tooltip": other.about, "icon": "dashboard", "url": "/d/" + other.uid,
				"includeVars": true, "keepTime": true, "targetBlank": false, "asDropdown": false, "tags": []string{},
			})
		}
	}
	return list
}

// panels lays the rows out.
func (b board) panels() ([]object, error) {
	var list []object
	y := 0
	add := func(o object, w, h, x int) {
		o["id"] = len(list) + 1
		o["gridPos"] = object{"x": x, "y": y, "w": w, "h": h}
		list = append(list, o)
	}
	for _, r := range b.rows {
		if r.title != "" {
			add(object{"type": "row", "title": r.title, "collapsed": false, "panels": []object{}}, gridColumns, 1, 0)
			y++
		}
		x := 0
		for _, p := range r.panels {
			o, err := p.model(b.selector)
			if err != nil {
				return nil, fmt.Errorf("panel %s: %w", p.title, err)
			}
			add(o, p.width, r.height, x)
			x += p.width
		}
		if x != gridColumns {
			return nil, fmt.Errorf("row %q from %q is %d columns wide", r.title, r.panels[0].title, x)
		}
		y += r.height
	}
	return list, nil
}

func (p panel) model(selector string) (object, error) {
	targets, err := p.targets(selector)
	if err != nil {
		return nil, err
	}
	o := object{
		"type": p.kind, "title": p.title, "description": p.about, "datasource": source(), "pluginVersion": pluginVersion,
		"targets": targets, "options": p.options(),
		"fieldConfig": object{"defaults": p.defaults(), "overrides": p.overrides()},
	}
	if len(p.links) > 0 {
		o["links"] = urls(p.links)
	}
	if p.kind == "table" {
		o["transformations"] = p.transformations()
	}
	return o, nil
}

func (p panel) targets(selector string) ([]object, error) {
	var list []object
	instant := p.kind == "table" || p.kind == "bargauge" || p.kind == "stat" && !p.sparkline
	for i, q := range p.queries {
		expr, err := expand(q.expr, selector)
		if err != nil {
			return nil, err
		}
		o := object{
			"refId": refID(i), "datasource": source(), "editorMode": "code", "expr": expr, "instant": instant, "range": !instant,
			"format": "time_series", "legendFormat": q.name,
		}
		if q.name == "" {
			o["legendFormat"] = p.title
		}
		if p.kind == "table" {
			o["format"], o["legendFormat"] = "table", "__auto"
		}
		list = append(list, o)
	}
	return list, nil
}

func refID(i int) string { return string(rune('A' + i)) }

func (p panel) defaults() object {
	o := object{"unit": p.unit, "mappings": mappings(p.states, false), "thresholds": thresholds(p.steps), "color": object{"mode": "thresholds"}, "custom": p.custom()}
	if p.kind == "timeseries" {
		o["color"] = object{"mode": "palette-classic"}
		if p.unit == unitShare || len(p.steps) == 0 || p.steps[0].color != worst {
			o["min"] = 0
		}
	}
	if p.kind == "bargauge" {
		o["min"] = 0
		if p.unit == unitShare {
			o["max"] = 1
		}
	}
	if p.empty != "" {
		o["noValue"] = p.empty
	}
	if p.decimals >= 0 {
		o["decimals"] = p.decimals
	}
	return o
}

// custom is what only one kind of panel has.
func (p panel) custom() object {
	hide := object{"legend": false, "tooltip": false, "viz": false}
	switch p.kind {
	case "timeseries":
		o := object{
			"drawStyle": "line", "lineWidth": 1, "fillOpacity": 8, "gradientMode": "none", "lineInterpolation": "linear", "showPoints": "never", "pointSize": 5,
			"spanNulls": false, "axisPlacement": "auto", "axisLabel": "", "scaleDistribution": object{"type": "linear"}, "hideFrom": hide,
			"stacking": object{"mode": "none", "group": "A"}, "thresholdsStyle": object{"mode": "off"},
		}
		if p.stepped {
			o["lineInterpolation"] = "stepAfter"
		}
		if p.stacked {
			o["stacking"], o["fillOpacity"] = object{"mode": "normal", "group": "A"}, 60
		}
		if p.limit {
			o["thresholdsStyle"] = object{"mode": "dashed"}
		}
		return o
	case "state-timeline":
		return object{"lineWidth": 0, "fillOpacity": 80, "hideFrom": hide}
	case "table":
		return object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false, "filterable": true}
	}
	return object{}
}

func thresholds(steps []step) object {
	list := []object{}
	for i, s := range steps {
		o := object{"color": s.color, "value": s.from}
		if i == 0 {
			o["value"] = nil // from minus infinity
		}
		list = append(list, o)
	}
	if len(list) == 0 {
		list = append(list, object{"color": notice, "value": nil})
	}
	return object{"mode": "absolute", "steps": list}
}

// mappings shows states by their names and colours: of numbers, or of the
// names themselves.
func mappings(states []state, byName bool) []object {
	if len(states) == 0 {
		return []object{}
	}
	options := object{}
	for i, s := range states {
		key := strconv.Itoa(i)
		if byName {
			key = s.name
		}
		options[key] = object{"index": i, "text": s.name, "color": s.color}
	}
	return []object{{"type": "value", "options": options}}
}

func (p panel) options() object {
	reduce := object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
	switch p.kind {
	case "stat":
		o := object{
			"reduceOptions": reduce, "colorMode": "background", "graphMode": "none", "textMode": "value", "justifyMode": "center", "orientation": "auto",
			"wideLayout": true, "showPercentChange": false,
		}
		if p.sparkline {
			o["graphMode"] = "area"
		}
		if p.names {
			o["textMode"] = "name"
		}
		return o
	case "timeseries":
		return object{
			"legend":  object{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}, "sortBy": "Last *", "sortDesc": true},
			"tooltip": object{"mode": "multi", "sort": "desc", "hideZeros": false},
		}
	case "state-timeline":
		return object{
			"mergeValues": true, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8,
			"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": false}, "tooltip": object{"mode": "single", "sort": "none"},
		}
	case "bargauge":
		return object{
			"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic", "valueMode": "color", "showUnfilled": true, "namePlacement": "left",
			"sizing": "auto", "minVizWidth": 8, "minVizHeight": 14, "maxVizHeight": 40,
		}
	}
	sortBy := []object{}
	for _, name := range p.sort {
		sortBy = append(sortBy, object{"displayName": name, "desc": true})
	}
	return object{"showHeader": true, "cellHeight": "sm", "sortBy": sortBy, "footer": object{"show": false, "reducer": []string{"sum"}, "countRows": false, "fields": ""}}
}

// overrides are what is said of single series or columns.
func (p panel) overrides() []object {
	list := []object{}
	for _, name := range slices.Sorted(maps.Keys(p.colors)) {
		list = append(list, override("byRegexp", "/"+name+"/", object{"color": object{"mode": "fixed", "fixedColor": p.colors[name]}}))
	}
	for _, c := range p.columns {
		if c.hidden {
			continue
		}
		set := object{}
		cell := ""
		if c.unit != "" {
			set["unit"] = c.unit
		}
		if len(c.steps) > 0 {
			set["thresholds"], cell = thresholds(c.steps), "color-text"
		}
		if len(c.states) > 0 {
			set["mappings"], cell = mappings(c.states, slices.Contains(p.shared, c.name)), "color-background"
		}
		if cell != "" {
			set["custom.cellOptions"] = object{"type": cell, "mode": "basic"}
		}
		if c.width > 0 {
			set["custom.width"] = c.width
		}
		if c.link != nil {
			set["links"] = urls([]link{*c.link})
		}
		if len(set) > 0 {
			list = append(list, override("byName", c.heading(), set))
		}
	}
	return list
}

func override(by, what string, set object) object {
	var properties []object
	for _, id := range slices.Sorted(maps.Keys(set)) {
		properties = append(properties, object{"id": id, "value": set[id]})
	}
	return object{"matcher": object{"id": by, "options": what}, "properties": properties}
}

func (c column) heading() string {
	if c.title != "" {
		return c.title
	}
	return c.name
}

// transformations join the queries' results, and keep and name the columns.
func (p panel) transformations() []object {
	field := map[string]string{} // of a column, as the data source calls it
	for _, label := range p.shared {
		field[label] = label
	}
	for i, q := range p.queries {
		field[q.name] = "Value"
		if len(p.queries) > 1 {
			field[q.name] = "Value #" + refID(i)
		}
	}
	order, names := object{}, object{}
	var kept []string
	for i, c := range p.columns {
		if c.hidden {
			continue
		}
		f := field[c.name]
		kept = append(kept, f)
		order[f] = i
		if c.heading() != f {
			names[f] = c.heading()
		}
	}
	return []object{
		{"id": "merge", "options": object{}},
		{"id": "filterFieldsByName", "options": object{"include": object{"names": kept}}},
		{"id": "organize", "options": object{"excludeByName": object{}, "indexByName": order, "renameByName": names}},
	}
}

// urls are links as panels and columns have them.
func urls(links []link) []object {
	var list []object
	for _, l := range links {
		url, away := l.url, l.url != ""
		if !away {
			parts := []string{"${datasource:queryparam}"}
			for _, v := range l.keep {
				parts = append(parts, "${"+v+":queryparam}")
			}
			for _, v := range l.set {
				parts = append(parts, "var-"+v+"=${__data.fields."+v+":percentencode}")
			}
			url = "/d/" + l.board + "?" + strings.Join(append(parts, "${__url_time_range}"), "&")
		}
		list = append(list, object{"title": l.title, "url": url, "targetBlank": away})
	}
	return list
}
