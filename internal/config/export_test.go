package config

// Parse reads a configuration. Every error is an *Error.
func Parse(data []byte) (*Config, error) {
	c := Default()
	if err := decode("", data, c, c.validate); err != nil {
		return nil, err
	}
	return c, nil
}
