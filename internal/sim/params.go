package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// args reads parameters of a call one after the other and keeps the first
// refusal.
type args struct {
	*Call

	no *refusal
}

func (c *Call) args() *args { return &args{Call: c} }

// invalid is the answer to a parameter whose value is not allowed.
func invalid(name string) *refusal {
	return refuse(http.StatusBadRequest, "InvalidParameter", "The parameter "+name+" is invalid.")
}

// fail keeps a refusal unless there is one.
func (a *args) fail(no *refusal) {
	if a.no == nil {
		a.no = no
	}
}

// text returns a parameter that must be there.
func (a *args) text(name string) string {
	v := a.Param(name)
	if v == "" {
		a.fail(missing(name))
	}
	return v
}

// integer returns a decimal parameter between two limits, or otherwise when it
// is absent.
func (a *args) integer(name string, low, high, otherwise int64) int64 {
	text := a.Param(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		a.fail(invalid(name))
	}
	return n
}

// flag returns a boolean parameter; given is false when it is absent.
func (a *args) flag(name string) (v, given bool) {
	switch strings.ToLower(a.Param(name)) {
	case "":
		return false, false
	case "true":
		return true, true
	case "false":
		return false, true
	}
	a.fail(invalid(name))
	return false, false
}

// choice returns a parameter that must be one of some words in any case, in
// the case of that word; or the first word when it is absent.
func (a *args) choice(name string, words ...string) string {
	v := a.Param(name)
	if v == "" {
		return words[0]
	}
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, v) })
	if i < 0 {
		a.fail(invalid(name))
		return words[0]
	}
	return words[i]
}

// mapping returns a parameter that is a JSON object, its values as text; nil
// when it is absent.
func (a *args) mapping(name string) map[string]string {
	text := a.Param(name)
	if text == "" {
		return nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil || raw == nil {
		a.fail(invalid(name))
		return nil
	}
	m := make(map[string]string)
	for k, v := range raw {
		plain, ok := plainValue(v)
		if !ok {
			a.fail(invalid(name))
		}
		m[k] = plain
	}
	return m
}

// plainValue returns the text of a JSON string, number or boolean.
func plainValue(v json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s, true
	}
	text := string(v)
	return text, text != "" && text != "null" && text[0] != '{' && text[0] != '['
}

// sizes returns what a structured parameter says: a JSON object, or one
// parameter for each of its keys, as older SDKs send it.
func (a *args) sizes(name string) map[string]int64 {
	texts := a.mapping(name)
	for _, p := range a.request.params {
		if key, ok := strings.CutPrefix(p.name, name+"."); ok && p.value != "" {
			if texts == nil {
				texts = make(map[string]string)
			}
			texts[key] = p.value
		}
	}
	var sizes map[string]int64
	for key, text := range texts {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			a.fail(invalid(name))
		}
		if sizes == nil {
			sizes = make(map[string]int64)
		}
		sizes[key] = n
	}
	return sizes
}

// millisTime returns a parameter in Unix milliseconds as a time since the
// start of the cloud.
func (a *args) millisTime(name string) time.Duration {
	ms := a.integer(name, 0, 1<<52, 0)
	return time.UnixMilli(ms).Sub(a.cloud.start)
}

// name returns a parameter that names something new: at least three letters,
// digits, _ and -, of which the service silently keeps so many.
func (a *args) name(param string, kept int) string {
	v := a.text(param)
	if len(v) > kept {
		v = v[:kept]
	}
	if !isName(v) {
		a.fail(refuse(http.StatusBadRequest, "BIZ_FIELD_CHECK_INVALID", "The parameter "+param+" is invalid. "+again))
	}
	return v
}

// isName reports whether s follows the rules for names.
func isName(s string) bool {
	const extra = "_-"
	var alphanumeric bool
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			alphanumeric = true
		case !strings.ContainsRune(extra, r):
			return false
		}
	}
	return len(s) >= 3 && alphanumeric
}

// newTags returns the tags that the call sets, by the rules for tags.
func (a *args) newTags() []Tag {
	tags := a.tags()
	seen := make(map[string]bool)
	for _, t := range tags {
		switch {
		case !isTag(t.Key):
			a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_TAGKEY_NOT_VALID", "The tag key is invalid. "+again))
		case !isTag(t.Value):
			a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_TAGVALUE_NOT_VALID", "The tag value is invalid. "+again))
		case seen[t.Key]:
			a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_DUPLICATE_TAG_KEY", "The tag key is duplicate. "+again))
		}
		seen[t.Key] = true
	}
	if len(tags) > maxTags {
		a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_REQUEST_TAG_NUM_EXCEED", "The number of tags in the request exceeds the limit. "+again))
	}
	return tags
}

// maxTags is how many tags a request or a resource may have.
const maxTags = 20

// isTag reports whether s may be the key of a tag, or its value.
func isTag(s string) bool {
	lower := strings.ToLower(s)
	return len([]rune(s)) <= 128 && !strings.HasPrefix(lower, "aliyun") && !strings.HasPrefix(lower, "acs:") &&
		!strings.Contains(lower, "http://") && !strings.Contains(lower, "https://")
}
