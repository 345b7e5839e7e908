package sim

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is what the protocol prescribes
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"sync"
	"time"
)

// stamp is the form of the Timestamp parameter, UTC.
const stamp = "2006-01-02T15:04:05Z"

// maxSkew is how far a Timestamp may be off the server's clock.
const maxSkew = 15 * time.Minute

// Key is an access key of an account.
type Key struct {
	ID, Secret string
	Token      string    // of temporary credentials: requests must carry it as SecurityToken
	Expires    time.Time // of temporary credentials; zero never
	Inactive   bool      // disabled by its owner
	Deny       []string  // actions that its RAM policy does not allow; "*" means all
}

// credential is what a request proves: who sends it.
type credential struct {
	Key

	account *account
}

// verify checks the common parameters in the gateway's order and returns who
// signed the request. Nonce and token are checked later, see Call.spend.
func (c *Cloud) verify(rq *request, now time.Time) (*credential, *refusal) {
	ps := rq.params
	id := ps.get("AccessKeyId")
	if id == "" {
		return nil, missing("AccessKeyId")
	}
	cred := c.key(id)
	switch {
	case cred == nil:
		return nil, refuse(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case cred.Inactive:
		return nil, refuse(http.StatusBadRequest, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	}
	if rq.v3 != nil {
		return cred, rq.v3.verify(rq, cred.Secret, now)
	}
	for _, name := range [...]string{"Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if ps.get(name) == "" {
			return cred, missing(name)
		}
	}
	if m := ps.get("SignatureMethod"); m != "HMAC-SHA1" {
		return cred, refuse(http.StatusBadRequest, "InvalidSignatureMethod", "Specified signature method is not valid.")
	}
	if v := ps.get("SignatureVersion"); v != "1.0" {
		return cred, refuse(http.StatusBadRequest, "InvalidSignatureVersion", "Specified signature version is not valid.")
	}
	if no := checkTime(stamp, ps.get("Timestamp"), now); no != nil {
		return cred, no
	}
	text := stringToSign(rq.method, ps)
	if !same(signature(cred.Secret, text), ps.get("Signature")) {
		return cred, mismatch(string(text))
	}
	return cred, nil
}

// checkTime refuses a timestamp that is malformed or more than 15 minutes off.
func checkTime(layout, value string, now time.Time) *refusal {
	at, err := time.Parse(layout, value)
	if err != nil {
		return refuse(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if d := now.Sub(at); d > maxSkew || d < -maxSkew {
		return refuse(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	return nil
}

// mismatch is the answer to a wrong signature. Like the gateway's it tells
// what it had signed, parameters and all.
func mismatch(text string) *refusal {
	return refuse(http.StatusBadRequest, "SignatureDoesNotMatch",
		"Specified signature is not matched with our calculation. server string to sign is:"+text)
}

// checkToken compares the SecurityToken of a request with that of its key.
func checkToken(cred *credential, token string, now time.Time) *refusal {
	switch {
	case cred.Token == "" && token == "":
		return nil
	case token == "":
		return refuse(http.StatusBadRequest, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
	case token != cred.Token:
		return refuse(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey",
			"Specified SecurityToken mismatch with the AccessKey.")
	case !cred.Expires.IsZero() && !now.Before(cred.Expires):
		return refuse(http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	return nil
}

// stringToSign returns METHOD&%2F&encode(canonicalized query). ps is sorted.
func stringToSign(method string, ps params) []byte {
	query := make([]byte, 0, 512)
	for i := range ps {
		if ps[i].name == "Signature" {
			continue
		}
		if len(query) > 0 {
			query = append(query, '&')
		}
		query = appendEscaped(query, ps[i].name)
		query = append(query, '=')
		query = appendEscaped(query, ps[i].value)
	}
	text := make([]byte, 0, len(method)+5+len(query)*3/2)
	text = append(text, method...)
	text = append(text, "&%2F&"...)
	return appendEscaped(text, query)
}

// appendEscaped percent-encodes all but the unreserved characters of RFC 3986.
func appendEscaped[S string | []byte](buf []byte, s S) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		b := s[i]
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_' || b == '.' || b == '~' {
			buf = append(buf, b)
		} else {
			buf = append(buf, '%', hex[b>>4], hex[b&15])
		}
	}
	return buf
}

func signature(secret string, text []byte) string {
	h := hmac.New(sha1.New, []byte(secret+"&"))
	h.Write(text)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// nonces remembers the nonces of the last half hour at least: a request is
// valid from 15 minutes before its timestamp to 15 minutes after. Memory is
// bounded because the older half is forgotten at once.
type nonces struct {
	mu         sync.Mutex
	young, old map[uint64]struct{}
	since      time.Time
}

// use records a nonce and reports whether it was new.
func (n *nonces) use(id, nonce string, now time.Time) bool {
	key := hash(id, "\x00", nonce)
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.since) > 2*maxSkew || n.young == nil {
		n.old, n.young = n.young, make(map[uint64]struct{})
		n.since = now
	}
	_, inYoung := n.young[key]
	_, inOld := n.old[key]
	n.young[key] = struct{}{}
	return !inYoung && !inOld
}

// seen reports whether a nonce was used, without recording it.
func (n *nonces) seen(id, nonce string) bool {
	key := hash(id, "\x00", nonce)
	n.mu.Lock()
	defer n.mu.Unlock()
	_, inYoung := n.young[key]
	_, inOld := n.old[key]
	return inYoung || inOld
}

// denied reports whether the key's policy forbids the action.
func (k Key) denied(action string) bool {
	return slices.Contains(k.Deny, action) || slices.Contains(k.Deny, "*")
}
