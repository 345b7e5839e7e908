package sim

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// What is read of a request is bounded in bytes and in parameters.
const (
	maxBody   = 1 << 20
	maxParams = 2000
)

// errParams is the error of a request with too many parameters.
var errParams = errors.New("too many parameters")

// param is one name and value of a query or a form.
type param struct{ name, value string }

// params are the merged parameters of a request, sorted by name. Where a name
// occurs twice the first value counts, the query before the form.
type params []param

func (ps params) get(name string) string {
	for i := range ps {
		if ps[i].name == name {
			return ps[i].value
		}
	}
	return ""
}

func (ps params) has(name string) bool {
	return slices.ContainsFunc(ps, func(p param) bool { return p.name == name })
}

// list returns the values of name.1, name.2, … up to the first gap.
func (ps params) list(name string) []string {
	var vs []string
	for {
		v := ps.get(name + "." + itoa(len(vs)+1))
		if v == "" {
			return vs
		}
		vs = append(vs, v)
	}
}

// request is what is left of an HTTP request once it was read.
type request struct {
	method string
	path   string
	host   string // without a port
	source string // IP address of the client
	params params
	header http.Header
	body   []byte
	v3     *v3 // nil for a signature in parameters
}

// read takes r apart. It reads the body but does not close it.
func read(r *http.Request, source string) (*request, *refusal) {
	rq := &request{method: r.Method, path: r.URL.Path, host: hostname(r), source: source, header: r.Header}
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			return rq, refuse(http.StatusBadRequest, "InvalidRequest", "The request body could not be read.")
		}
		if len(body) > maxBody {
			return rq, refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request body is too large.")
		}
		rq.body = body
	}
	ps, err := parse(nil, r.URL.RawQuery)
	rq.v3 = readV3(r, ps)
	if err == nil && isForm(r.Header.Get("Content-Type")) {
		ps, err = parse(ps, string(rq.body))
	}
	if err != nil {
		return rq, refuse(http.StatusBadRequest, "InvalidParameter.Format", "The request parameters are not well formed.")
	}
	if rq.v3 != nil {
		ps = append(rq.v3.common(r.Header), ps...)
	}
	sortParams(ps)
	rq.params = slices.CompactFunc(ps, func(a, b param) bool { return a.name == b.name })
	return rq, nil
}

func sortParams(ps params) {
	slices.SortStableFunc(ps, func(a, b param) int { return strings.Compare(a.name, b.name) })
}

// parse appends the pairs of an urlencoded string.
func parse(ps params, s string) (params, error) {
	for s != "" {
		var pair string
		pair, s, _ = strings.Cut(s, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		if len(ps) == maxParams {
			return nil, errParams
		}
		ps = append(ps, param{name, value})
	}
	return ps, nil
}

// isForm reports whether a body of that type carries parameters.
func isForm(contentType string) bool {
	if contentType == "application/x-www-form-urlencoded" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && t == "application/x-www-form-urlencoded"
}

func hostname(r *http.Request) string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// hostRegion returns the region whose endpoint host is: "cn-hangzhou" of
// alikafka.cn-hangzhou.aliyuncs.com or alikafka-vpc.cn-hangzhou.aliyuncs.com;
// empty for any other host.
func hostRegion(host string) string {
	rest, ok := strings.CutSuffix(host, ".aliyuncs.com")
	if !ok {
		return ""
	}
	product, region, ok := strings.Cut(rest, ".")
	if !ok || product != "alikafka" && product != "alikafka-vpc" {
		return ""
	}
	return region
}

// refusal is an answer that says no.
type refusal struct {
	status        int
	code, message string
}

func refuse(status int, code, message string) *refusal {
	return &refusal{status: status, code: code, message: message}
}

// missing is the answer to a request without a mandatory parameter.
func missing(name string) *refusal {
	return refuse(http.StatusBadRequest, "MissingParameter",
		`The input parameter "`+name+`" that is mandatory for processing this request is not supplied.`)
}
