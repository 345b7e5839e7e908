package api

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // signature version 1.0 prescribes HMAC-SHA1
	"encoding/base64"
	"slices"
	"strings"

	"github.com/alikafka-exporter/alikafka-exporter/internal/secret"
)

// Request anatomy and signing follow the common parameters and the signature
// chapter of the API reference, signature version 1.0.

// pair is one wire parameter.
type pair struct{ name, value string }

// stringToSign returns what is signed, and the canonicalized query, which
// without its signature is also the body to send.
func stringToSign(method string, ps []pair) (toSign, query string) {
	slices.SortFunc(ps, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	var q []byte
	for i, p := range ps {
		if i > 0 {
			q = append(q, '&')
		}
		q = appendEscaped(q, p.name)
		q = append(q, '=')
		q = appendEscaped(q, p.value)
	}
	query = string(q)
	s := make([]byte, 0, len(method)+5+len(q)*5/4)
	s = append(s, method...)
	s = append(s, "&%2F&"...)
	return string(appendEscaped(s, query)), query
}

// signature is the Base64 of the HMAC-SHA1 over toSign.
func signature(toSign string, key secret.String) string {
	h := hmac.New(sha1.New, []byte(key.Reveal()+"&"))
	h.Write([]byte(toSign))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// sign sorts ps and returns the form or query to send: ps and their signature.
func sign(method string, ps []pair, key secret.String) string {
	toSign, query := stringToSign(method, ps)
	return string(appendEscaped([]byte(query+"&Signature="), signature(toSign, key)))
}

// appendEscaped appends s percent-encoded as RFC 3986 has it: all but
// A-Z a-z 0-9 - _ . ~ become %XX. This differs from url.QueryEscape in the
// blank, the star and the tilde.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
