package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The current official SDKs sign by default with ACS3-HMAC-SHA256, in
// headers: the gateway accepts it for every product beside the signature in
// parameters.

// v3Scheme begins the Authorization header of such a request.
const v3Scheme = "ACS3-HMAC-SHA256"

// v3 is the Authorization header of a request, taken apart.
type v3 struct {
	id        string
	headers   []string // signed ones, lower case, in the order of signing
	signature string
	host      string // as sent, with a port
	query     params // what was in the URL: the only parameters that are signed by name
}

// readV3 takes an Authorization header apart; nil when it is of another kind.
func readV3(r *http.Request, query params) *v3 {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), v3Scheme+" ")
	if !ok {
		return nil
	}
	v := &v3{query: slices.Clone(query), host: r.Host}
	orElse(&v.host, r.URL.Host)
	sortParams(v.query)
	for part := range strings.SplitSeq(rest, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "Credential":
			v.id = value
		case "SignedHeaders":
			v.headers = strings.Split(value, ";")
		case "Signature":
			v.signature = value
		}
	}
	return v
}

// common returns the common parameters that the headers stand for.
func (v *v3) common(h http.Header) params {
	ps := params{
		{"AccessKeyId", v.id},
		{"Action", h.Get("X-Acs-Action")},
		{"Format", "JSON"},
		{"SecurityToken", h.Get("X-Acs-Security-Token")},
		{"SignatureNonce", h.Get("X-Acs-Signature-Nonce")},
		{"Timestamp", h.Get("X-Acs-Date")},
		{"Version", h.Get("X-Acs-Version")},
	}
	if strings.Contains(h.Get("Accept"), "xml") {
		ps[2].value = "XML"
	}
	return ps
}

// verify checks time, body and signature.
func (v *v3) verify(rq *request, secret string, now time.Time) *refusal {
	for _, name := range [...]string{"SignatureNonce", "Timestamp"} {
		if rq.params.get(name) == "" {
			return missing(name)
		}
	}
	if no := checkTime(stamp, rq.params.get("Timestamp"), now); no != nil {
		return no
	}
	for _, name := range [...]string{"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} {
		if !slices.Contains(v.headers, name) {
			return refuse(http.StatusBadRequest, "IncompleteSignature", "The header "+name+" must be signed.")
		}
	}
	sum := sha256.Sum256(rq.body)
	payload := hex.EncodeToString(sum[:])
	if rq.header.Get("X-Acs-Content-Sha256") != payload {
		return refuse(http.StatusBadRequest, "InvalidContentSha256", "The digest of the body does not match x-acs-content-sha256.")
	}
	canonical := v.canonical(rq, payload)
	digest := sha256.Sum256([]byte(canonical))
	text := v3Scheme + "\n" + hex.EncodeToString(digest[:])
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	if !same(hex.EncodeToString(mac.Sum(nil)), v.signature) {
		return mismatch(text + ", server canonical request is:" + canonical)
	}
	return nil
}

// canonical returns the canonical request.
func (v *v3) canonical(rq *request, payload string) string {
	var query []byte
	for i, p := range v.query {
		if i > 0 {
			query = append(query, '&')
		}
		query = appendEscaped(query, p.name)
		query = append(query, '=')
		query = appendEscaped(query, p.value)
	}
	var headers strings.Builder
	for _, name := range v.headers {
		value := strings.Join(rq.header.Values(name), ",")
		if name == "host" {
			value = v.host
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	return strings.Join([]string{
		rq.method, "/", string(query), headers.String(), strings.Join(v.headers, ";"), payload,
	}, "\n")
}
