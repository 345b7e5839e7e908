package main

import (
	_ "embed"
	"net/http"
)

//go:embed group.html
var groupHTML string

func (a *app) group(r *http.Request) (any, *pageError) {
	return nil, unknownInstance(r.URL.Query().Get("instance_id"))
}
