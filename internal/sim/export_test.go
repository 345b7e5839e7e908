package sim

import (
	"maps"
	"slices"
)

// Sign returns the string to sign and the signature of parameters.
func Sign(method, secret string, values map[string]string) (text, sig string) {
	var ps params
	for _, name := range slices.Sorted(maps.Keys(values)) {
		ps = append(ps, param{name, values[name]})
	}
	t := stringToSign(method, ps)
	return string(t), signature(secret, t)
}

// Nonces returns how many nonces the cloud remembers.
func Nonces(c *Cloud) int {
	c.nonces.mu.Lock()
	defer c.nonces.mu.Unlock()
	return len(c.nonces.young) + len(c.nonces.old)
}
