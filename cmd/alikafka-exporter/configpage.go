package main

import (
	_ "embed"
	"net/http"
	"time"
)

//go:embed configpage.html
var configHTML string

// configurationView is the configuration in force.
type configurationView struct {
	Text    string
	Since   time.Time
	Flags   []fact
	Invalid string // why the last reload changed nothing; "" when it did
}

func (a *app) configuration(*http.Request) (any, *pageError) {
	l := a.current.Load()
	v := configurationView{Since: l.since, Text: l.config.String()}
	if err := a.reloadError.Load(); err != nil {
		v.Invalid = *err
	}
	for _, f := range []fact{
		{Name: "--storage.path", Value: a.storage.Path()},
		{Name: "--web.telemetry-path", Value: a.flags.telemetryPath},
		{Name: "--web.external-url", Value: a.flags.prefix()},
		{Name: "--web.config.file", Value: *a.flags.toolkit.WebConfigFile},
	} {
		if f.Value != "" {
			v.Flags = append(v.Flags, f)
		}
	}
	return v, nil
}
