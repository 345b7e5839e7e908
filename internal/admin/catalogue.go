package admin

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"
	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// catalogueEntry is an action as GET /api/v1/actions shows it.
type catalogueEntry struct {
	Action  string           `json:"action"`
	Subject string           `json:"subject"`
	Effect  string           `json:"effect"`
	Confirm string           `json:"confirm,omitempty"` // the read that shows the effect
	Params  []catalogueParam `json:"params"`
	Allowed bool             `json:"allowed"`           // to the caller, on some instance
	Webhook bool             `json:"webhook,omitempty"` // a runbook may ask for it
	Refused string           `json:"refused,omitempty"` // why the engine never does it
}

type catalogueParam struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Required bool     `json:"required,omitempty"`
	Secret   bool     `json:"secret,omitempty"` // given as {"secret_ref": name}
	In       []string `json:"in,omitempty"`
	Min      *int64   `json:"min,omitempty"`
	Max      *int64   `json:"max,omitempty"`
}

func (s *Server) getActions(x *exchange) error {
	var list []catalogueEntry
	for _, a := range api.Actions() {
		e := catalogueEntry{
			Action: a.Name, Subject: a.Subject, Effect: a.Effect.String(), Confirm: a.Confirm,
			Allowed: slices.Contains(x.principal.Actions, a.Name) || slices.Contains(x.principal.Effects, a.Effect.String()),
			Webhook: slices.Contains(engine.WebhookActions(), a.Name),
		}
		if a.Effect != api.Read && !engine.Does(a.Name) {
			e.Refused = "no read of the cloud shows its effect"
		}
		for _, p := range slices.Concat(a.Params, engine.OwnParams(a.Name)) {
			e.Params = append(e.Params, catalogueParam{p.Name, p.Type, required(a, p), p.Secret, p.In, p.Min, p.Max})
		}
		list = append(list, e)
	}
	return s.answer(x, http.StatusOK, struct {
		Actions []catalogueEntry `json:"actions"`
	}{list})
}

// required reports whether this endpoint needs the parameter: the region follows
// from the instance or from what is tagged, and the target replaces the
// increment.
func required(a *api.Action, p api.Param) bool {
	_, instance := a.Param("InstanceId")
	resource, _ := a.Param("ResourceId.1")
	return p.Required && !(p.Name == "RegionId" && (instance || resource.Required)) && p.Name != "AddPartitionNum"
}

// object is a JSON object that is put together here.
type object = map[string]any

// openAPI describes the endpoint: its routes, and a path for every action of
// the table.
func openAPI(rows []route) object {
	paths := object{}
	for _, r := range rows {
		if r.path == pagePath+"{$}" || strings.Contains(r.path, "{action}") {
			continue
		}
		at, ok := paths[r.path].(object)
		if !ok {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.operation()
	}
	for _, a := range api.Actions() {
		paths[actionsPath+"/"+a.Name] = object{"post": actionOperation(a)}
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "alikafka-exporter admin endpoint", "version": "1"},
		"paths":   paths,
		"security": []object{
			{"token": []string{}},
		},
		"components": object{
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
			"schemas": object{
				"Problem":   problemSchema(),
				"Run":       object{"type": "object", "required": []string{"id", "state", "plan", "verdicts"}, "properties": object{"id": object{"type": "string"}, "state": object{"type": "string"}, "plan": object{"type": "object"}, "verdicts": object{"type": "array"}}},
				"SecretRef": object{"type": "object", "required": []string{"secret_ref"}, "additionalProperties": false, "properties": object{"secret_ref": object{"type": "string"}}},
			},
		},
	}
}

func problemSchema() object {
	var names []string
	for _, row := range reasons {
		names = append(names, string(row.reason))
	}
	return object{
		"type": "object", "required": []string{"type", "title", "status", "reason"},
		"properties": object{
			"type": object{"type": "string", "format": "uri"}, "title": object{"type": "string"}, "status": object{"type": "integer"},
			"detail": object{"type": "string"}, "reason": object{"type": "string", "enum": names},
			"errors":     object{"type": "array", "items": object{"type": "object", "properties": object{"field": object{"type": "string"}, "reason": object{"type": "string"}}}},
			"guards":     object{"type": "array", "items": object{"type": "object"}},
			"request_id": object{"type": "string"}, "code": object{"type": "string"}, "run": object{"type": "string"},
		},
	}
}

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

func content(kind string, schema object) object {
	return object{"content": object{kind: object{"schema": schema}}}
}

// responses are the answers of an operation, the statuses given and problems.
func responses(schema object, statuses ...string) object {
	r := object{"default": object{"description": "Refused or failed.", "content": content("application/problem+json", ref("Problem"))["content"]}}
	for _, status := range statuses {
		r[status] = object{"description": map[string]string{"200": "Done.", "202": "Accepted; Location names the run."}[status], "content": content("application/json", schema)["content"]}
	}
	return r
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

func (r route) operation() object {
	op := object{"summary": r.about, "responses": responses(object{"type": "object"}, "200", "202")}
	for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
		op["parameters"] = []object{{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}}}
	}
	if r.body {
		op["requestBody"] = object{"required": true, "content": content("application/json", object{"type": "object"})["content"]}
	}
	return op
}

// actionOperation describes an action with its parameters.
func actionOperation(a *api.Action) object {
	properties, patterns, needed := object{}, object{}, []string{}
	for _, p := range slices.Concat(a.Params, engine.OwnParams(a.Name)) {
		if p.List {
			patterns["^"+strings.ReplaceAll(regexp.QuoteMeta(p.Name), `\.N`, `\.[1-9][0-9]*`)+"$"] = paramSchema(p)
			continue
		}
		properties[p.Name] = paramSchema(p)
		if required(a, p) {
			needed = append(needed, p.Name)
		}
	}
	body := object{"type": "object", "additionalProperties": false, "properties": properties, "required": needed}
	if len(patterns) > 0 {
		body["patternProperties"] = patterns
	}
	op := object{
		"summary": a.Name, "operationId": a.Name, "tags": []string{a.Subject}, "x-effect": a.Effect.String(),
		"requestBody": object{"required": true, "content": content("application/json", body)["content"]},
	}
	if a.Effect == api.Read {
		op["responses"] = responses(object{"type": "object"}, "200")
		return op
	}
	flag := object{"type": "boolean", "default": false}
	op["x-confirm"] = a.Confirm
	op["parameters"] = []object{
		{"name": "Idempotency-Key", "in": "header", "description": "Required unless dry_run.", "schema": object{"type": "string", "maxLength": 128}},
		{"name": "Prefer", "in": "header", "description": "wait=N: seconds to wait for the outcome.", "schema": object{"type": "string"}},
		{"name": "dry_run", "in": "query", "schema": flag},
		{"name": "require_approval", "in": "query", "schema": flag},
		{"name": "account", "in": "query", "schema": object{"type": "string"}},
		{"name": "reason", "in": "query", "schema": object{"type": "string"}},
	}
	op["responses"] = responses(ref("Run"), "200", "202")
	return op
}

// paramSchema describes a value as actionBody takes it.
func paramSchema(p api.Param) object {
	if p.Secret {
		return ref("SecretRef")
	}
	if p.Type == "json" {
		return object{"type": []string{"object", "array", "string"}}
	}
	schema := object{"type": p.Type}
	if p.In != nil && p.Type == "string" {
		schema["enum"] = p.In
	}
	if p.Min != nil {
		schema["minimum"] = *p.Min
	}
	if p.Max != nil {
		schema["maximum"] = *p.Max
	}
	if p.MaxLength > 0 {
		schema["minLength"], schema["maxLength"] = p.MinLength, p.MaxLength
	}
	return schema
}

func (s *Server) getOpenAPI(x *exchange) error { return s.answer(x, http.StatusOK, openAPI(s.routes)) }
