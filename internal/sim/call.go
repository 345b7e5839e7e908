package sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// Call is one request, as far as the gateway has understood it.
type Call struct {
	ID       string    // the RequestId of its answer
	At       time.Time // by the server's clock
	Account  string    // whose key signed it; empty when that failed
	Action   string
	RegionID string // of the RegionId parameter, else of the endpoint; may be empty
	Number   int    // counts the calls of that action by that account, from 1
	Code     string // in the log: "OK", or the code of the refusal

	cloud     *Cloud
	request   *request
	operation *operation
	cred      *credential
	since     time.Duration // At, since the start of the cloud
}

// Param returns a parameter of the request, empty when it is not there.
func (c *Call) Param(name string) string { return c.request.params.get(name) }

// product is a service behind the gateway.
type product struct {
	name       string
	version    string
	json       bool // answers JSON unless Format says XML
	operations map[string]*operation
}

// operation is one action: what it does and the form of its answer.
type operation struct {
	do   func(*Call, *reply) *refusal
	bare bool // answers without Code, Message and Success
}

// style returns the form of the answer: the product's default unless Format,
// in any case, says otherwise.
func (c *Call) style() style {
	s := style{strings: c.cloud.opts.Strings, lists: c.cloud.opts.Lists, xml: true}
	if c.product() == &amqp {
		s.xml = !amqp.json
	}
	switch format := c.Param("Format"); {
	case strings.EqualFold(format, "JSON"):
		s.xml = false
	case strings.EqualFold(format, "XML"):
		s.xml = true
	}
	return s
}

// product returns the service that is called: by the endpoint, or on an
// address that could be any, by the version.
func (c *Call) product() *product {
	switch name, _, _ := strings.Cut(c.request.host, "."); {
	case strings.HasPrefix(name, "amqp-open"):
		return &amqp
	case !strings.HasPrefix(name, "alikafka") && c.Param("Version") == amqp.version:
		return &amqp
	}
	return &kafka
}

// resolve finds the operation that the request names.
func (c *Call) resolve() *refusal {
	c.Action = c.Param("Action")
	c.RegionID = c.Param("RegionId")
	if c.RegionID == "" {
		c.RegionID = hostRegion(c.request.host)
	}
	switch {
	case c.request.method != http.MethodGet && c.request.method != http.MethodPost:
		return refuse(http.StatusBadRequest, "UnsupportedHTTPMethod", "This http method is not supported.")
	case c.Action == "":
		return missing("Action")
	case c.Param("Version") == "":
		return missing("Version")
	}
	p := c.product()
	if c.Param("Version") != p.version {
		return refuse(http.StatusBadRequest, "NoSuchVersion", "The specified version does not exist.")
	}
	op := p.operations[c.Action]
	if op == nil || c.request.path != "/" && c.request.path != "" {
		return refuse(http.StatusNotFound, "InvalidApi.NotFound",
			"Specified api is not found, please check your url and method.")
	}
	c.operation = op
	return nil
}

// authenticate finds out who calls.
func (c *Call) authenticate() *refusal {
	cred, no := c.cloud.verify(c.request, c.At)
	if no != nil {
		return no
	}
	c.cred = cred
	c.Account = cred.account.Name
	c.Number = c.cloud.books.number(c.Account, c.Action)
	return nil
}

// execute does what an authenticated call asks for and writes the answer.
func (c *Call) execute(w *reply) *refusal {
	if no := c.spend(); no != nil {
		return no
	}
	if c.cred.denied(c.Action) {
		return refuse(http.StatusForbidden, "Forbidden.RAM",
			"User not authorized to operate on the specified resource, or this API doesn't support RAM.")
	}
	if no := c.checkParams(); no != nil {
		return no
	}
	c.cloud.mu.RLock()
	defer c.cloud.mu.RUnlock()
	w.begin(c.Action)
	w.text("RequestId", c.ID)
	if !c.operation.bare {
		w.num("Code", http.StatusOK)
		w.flag("Success", true)
		w.text("Message", "operation success.")
	}
	if no := c.operation.do(c, w); no != nil {
		return no
	}
	w.finish(c.Action)
	return nil
}

// spend uses up the nonce and one call of the limits.
func (c *Call) spend() *refusal {
	nonce := c.Param("SignatureNonce")
	used := refuse(http.StatusBadRequest, "SignatureNonceUsed", "The request signature nonce has been used.")
	late := c.cloud.opts.NonceAfterThrottle
	if late && c.cloud.nonces.seen(c.cred.ID, nonce) || !late && !c.cloud.nonces.use(c.cred.ID, nonce, c.At) {
		return used
	}
	if no := checkToken(c.cred, c.Param("SecurityToken"), c.At); no != nil {
		return no
	}
	if no := c.cloud.limiter.admit(c.request.source, c.Account, c.Action, c.RegionID, c.At); no != nil {
		return no
	}
	if late && !c.cloud.nonces.use(c.cred.ID, nonce, c.At) {
		return used
	}
	return nil
}

// checkParams looks for what the action requires and, when strict, for what
// it does not know. Actions outside the table check for themselves.
func (c *Call) checkParams() *refusal {
	row, ok := api.Lookup(c.Action)
	if !ok || c.Param("Version") != kafka.version {
		return nil
	}
	for _, p := range row.Params {
		name := strings.Replace(p.Name, ".N", ".1", 1)
		if p.Required && c.Param(name) == "" {
			return missing(name)
		}
	}
	if !c.cloud.opts.Strict {
		return nil
	}
	for _, p := range c.request.params {
		if _, ok := row.Param(p.name); !ok && !common(p.name) {
			return refuse(http.StatusBadRequest, "InvalidParameter", "The parameter "+p.name+" is not known to "+c.Action+".")
		}
	}
	return nil
}

// common reports whether every action has that parameter.
func common(name string) bool {
	switch name {
	case "AccessKeyId", "Action", "Format", "RegionId", "SecurityToken", "Signature", "SignatureMethod",
		"SignatureNonce", "SignatureType", "SignatureVersion", "Timestamp", "Version":
		return true
	}
	return false
}

// host returns what error documents call HostId: the endpoint.
func (c *Call) host() string {
	switch {
	case strings.HasSuffix(c.request.host, ".aliyuncs.com"):
		return c.request.host
	case regionKnown(c.RegionID):
		return "alikafka." + c.RegionID + ".aliyuncs.com"
	}
	return "alikafka.aliyuncs.com"
}

// number reads a decimal parameter; absent means otherwise.
func (c *Call) number(name string, otherwise int) (int, *refusal) {
	text := c.Param(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0, refuse(http.StatusBadRequest, "InvalidParameter", "The parameter "+name+" is invalid.")
	}
	return n, nil
}

// account returns the state of the caller's account.
func (c *Call) account() *account { return c.cred.account }

// sees reports whether the endpoint that was called serves a region. A
// regional endpoint knows its own; a loopback address knows all. Naming
// another region than that of the endpoint finds nothing.
func (c *Call) sees(region string) bool {
	if own := hostRegion(c.request.host); own != "" && own != region {
		return false
	}
	asked := c.Param("RegionId")
	return asked == "" || asked == region
}

// instance returns the instance that the call names.
func (c *Call) instance() (*instance, *refusal) {
	id := c.Param("InstanceId")
	for _, in := range c.account().instances {
		if in.ID == id && c.sees(in.RegionID) {
			return in, nil
		}
	}
	if owner := c.cloud.owners[id]; owner != nil && owner != c.account() {
		return nil, refuse(http.StatusForbidden, "AUTH_RESOURCE_OWNER_ERROR", "The current user is not the owner of the resource. "+again)
	}
	return nil, refuse(http.StatusBadRequest, "BIZ_INSTANCE_NOT_FOUND", "The specified instance does not exist. "+again)
}

// again ends most messages of the product.
const again = "Please check and try again later."

// running is instance for calls that need brokers.
func (c *Call) running() (*instance, *refusal) {
	in, no := c.instance()
	if no != nil {
		return nil, no
	}
	switch service, _ := in.status(c.since); service {
	case 0, 1, 2, 10, 15:
		return nil, refuse(http.StatusBadRequest, "BIZ_INSTANCE_STATUS_ERROR", "The status of the specified instance is invalid. "+again)
	}
	return in, nil
}

// page cuts a list of n into the page that the call asks for. The service
// fails past the last page instead of answering an empty one; the first page
// may be empty.
func (c *Call) page(n, current, size int) (from, to int, no *refusal) {
	from = (current - 1) * size
	if from >= n && current > 1 {
		return 0, 0, refuse(http.StatusBadRequest, "ONS_INVOKE_ERROR", "invoke json request error. "+again)
	}
	return from, min(n, from+size), nil
}
