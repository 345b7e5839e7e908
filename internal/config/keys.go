package config

import (
	"reflect"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// LoadKeys reads a file that maps access key ids to their secrets, as the
// simulated cloud takes it. What is wrong in the file is an *Error.
func LoadKeys(path string) (map[string]secret.String, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	keys := map[string]secret.String{}
	d := decoder{lines: map[string]int{}, quiet: true}
	d.document(data, reflect.ValueOf(&keys).Elem())
	for id, s := range keys {
		if s.IsZero() {
			d.invalid(id, "no secret")
		}
	}
	if len(d.mistakes) > 0 {
		return nil, d.failure(path)
	}
	return keys, nil
}
