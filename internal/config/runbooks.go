package config

import (
	"path/filepath"

	"github.com/alikafka-exporter/alikafka-exporter/internal/admin"
)

// LoadRunbooks reads the sections admin and runbooks of a file that may be a
// part of a configuration: what belongs to other sections is not missed. What
// is wrong in the file is an *Error.
func LoadRunbooks(path string) (admin.Config, []admin.Runbook, error) {
	c := Default()
	if err := decodeFile(path, c, c.validateAdmin); err != nil {
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
