package sim

import (
	"net/http"
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
	after     time.Duration // a fault puts off what the call changes
	put       bool          // there is something to put off
	late      bool          // this is where it was put off to
}

// Param returns a parameter of the request, empty when it is not there.
func (c *Call) Param(name string) string { return c.request.params.get(name) }

// product is a service behind the gateway.
type product struct {
	version    string
	json       bool // answers JSON unless Format says XML
	operations map[string]*operation
}

// operation is one action: what it does and the form of its answer.
type operation struct {
	do     func(*Call, *reply) *refusal
	bare   bool   // answers without Code, Message and Success
	counts bool   // Success is a number, which is all that the SDKs accept there
	writes bool   // runs alone, and changes the state in Call.apply
	newer  bool   // the 2022 reference does not know it
	empty  string // required parameter that may be there without a value
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
	if op != nil && op.newer && c.cloud.opts.Edition == Edition2022 {
		op = nil
	}
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
	if c.operation.writes {
		return c.write(w)
	}
	c.cloud.rlock(c.since)
	defer c.cloud.mu.RUnlock()
	return c.answer(w)
}

// answer writes the answer of an operation, which does what it is there for.
func (c *Call) answer(w *reply) *refusal {
	w.begin(c.Action)
	w.text("RequestId", c.ID)
	if !c.operation.bare {
		w.num("Code", http.StatusOK)
		if c.operation.counts {
			w.num("Success", 1)
		} else {
			w.flag("Success", true)
		}
		w.text("Message", "operation success.")
	}
	if no := c.operation.do(c, w); no != nil {
		return no
	}
	w.finish(c.Action)
	return nil
}

// write is answer for an operation that changes the state.
func (c *Call) write(w *reply) *refusal {
	c.cloud.mu.Lock()
	defer c.cloud.mu.Unlock()
	c.cloud.settle(c.since)
	if no := c.answer(w); no != nil {
		return no
	}
	if c.put {
		c.cloud.schedule(c.since+c.after, c.again)
	}
	c.cloud.settle(c.since) // work that takes no time
	return nil
}

// apply makes the change that a call asks for, once nothing speaks against it
// any more. A fault may put it off.
func (c *Call) apply(change func()) {
	if c.after > 0 {
		c.put = true
		return
	}
	c.account().remember(c.since, c.cloud.opts.ReadLag)
	change()
	c.cloud.effects.add(c)
}

// again carries out what was put off, unless it is refused by then.
func (c *Call) again(at time.Duration) {
	late := *c
	late.after, late.late, late.since = 0, true, at
	_ = late.operation.do(&late, &reply{}) // nobody is there to be told
}

// arrive uses up the nonce of a call that a fault refuses where the gateway
// or the service would have, and returns the refusal of a nonce that is used.
func (c *Call) arrive(f *Fault, code string) *refusal {
	if f.Kind != Refuse && f.Kind != Unsuccessful || throttles(code) && c.cloud.opts.NonceAfterThrottle ||
		c.cloud.nonces.use(c.cred.ID, c.Param("SignatureNonce"), c.At) {
		return nil
	}
	return nonceUsed()
}

func nonceUsed() *refusal {
	return refuse(http.StatusBadRequest, "SignatureNonceUsed", "The request signature nonce has been used.")
}

// spend uses up the nonce and one call of the limits.
func (c *Call) spend() *refusal {
	nonce := c.Param("SignatureNonce")
	late := c.cloud.opts.NonceAfterThrottle
	if late && c.cloud.nonces.seen(c.cred.ID, nonce) || !late && !c.cloud.nonces.use(c.cred.ID, nonce, c.At) {
		return nonceUsed()
	}
	if no := checkToken(c.cred, c.Param("SecurityToken"), c.At); no != nil {
		return no
	}
	if no := c.cloud.limiter.admit(c.request.source, c.Account, c.Action, c.RegionID, c.At); no != nil {
		return no
	}
	if late && !c.cloud.nonces.use(c.cred.ID, nonce, c.At) {
		return nonceUsed()
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
		if p.Required && c.Param(name) == "" && (p.Name != c.operation.empty || !c.request.params.has(name)) {
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

// instances returns what the caller's account has: as it is for an operation
// that writes, as the caller may see it for others.
func (c *Call) instances() []*instance {
	a := c.account()
	if len(a.past) == 0 || c.operation.writes || c.roll("fresh") < c.cloud.opts.FreshReads {
		return a.instances
	}
	return a.asOf(c.since)
}

// instance returns the instance that the call names.
func (c *Call) instance() (*instance, *refusal) { return c.instanceOf("InstanceId") }

// instanceOf returns the instance that a parameter of the call names.
func (c *Call) instanceOf(param string) (*instance, *refusal) {
	id := c.Param(param)
	for _, in := range c.instances() {
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
		return nil, badStatus()
	}
	return in, nil
}

// serving is instance for calls that need it in service.
func (c *Call) serving() (*instance, *refusal) {
	in, no := c.instance()
	if no != nil {
		return nil, no
	}
	if service, _ := in.status(c.since); service != inService {
		return nil, badStatus()
	}
	return in, nil
}

func badStatus() *refusal {
	return refuse(http.StatusBadRequest, "BIZ_INSTANCE_STATUS_ERROR", "The status of the specified instance is invalid. "+again)
}

// paged returns the page of a list that the call asks for, ten items unless it
// says otherwise, and writes which one it is. The service fails past the last
// page instead of answering an empty one; the first page may be empty.
func paged[T any](c *Call, w *reply, list []T) ([]T, *refusal) {
	a, n := c.args(), int64(len(list))
	current, size := a.integer("CurrentPage", 1, 1_000_000, 1), a.integer("PageSize", 1, 1_000_000, 10)
	from := (current - 1) * size
	if from >= n && current > 1 {
		a.fail(refuse(http.StatusBadRequest, "ONS_INVOKE_ERROR", "invoke json request error. "+again))
	}
	if a.no != nil {
		return nil, a.no
	}
	w.num("CurrentPage", current)
	w.num("PageSize", size)
	w.num("Total", n)
	return list[from:min(n, from+size)], nil
}
