// Package alerts holds the files beside it, for the demo, which puts them where
// Prometheus and Alertmanager find them.
package alerts

import _ "embed"

// Rules are for Prometheus.
//
//go:embed alikafka.rules.yml
var Rules string

// Alertmanager is an example of its configuration.
//
//go:embed alertmanager.example.yml
var Alertmanager string

// Runbooks are examples.
//
//go:embed runbooks.example.yaml
var Runbooks string
