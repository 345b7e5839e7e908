package config

import (
	"os"
	"path/filepath"
	"reflect"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
)

// LoadRunbooks reads the sections admin and runbooks of a file that may be a
// part of a configuration: what belongs to other sections is not missed. What
// is wrong in the file is an *Error.
func LoadRunbooks(path string) (admin.Config, []admin.Runbook, error) {
	c := Default()
	if err := decodeFile(path, c, func(d *decoder) { c.validateAdmin(d) }); err != nil {
		return admin.Config{}, nil, err
	}
	c.Admin.ResolvePaths(filepath.Dir(path))
	return c.Admin, c.Runbooks, nil
}

// Decode reads a YAML file into a struct, as strictly as a configuration. What
// is wrong in the file is an *Error.
func Decode(path string, into any) error {
	return decodeFile(path, into, func(*decoder) {})
}

func decodeFile(path string, into any, validate func(*decoder)) error {
	data, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	if len(data) > maxSize {
		return tooLarge(path)
	}
	d := decoder{lines: map[string]int{}}
	if d.document(data, reflect.ValueOf(into).Elem()) {
		validate(&d)
	}
	if len(d.mistakes) > 0 {
		return d.failure(path)
	}
	return nil
}
