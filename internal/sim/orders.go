package sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Values of PaidType.
const (
	prePaid    = 0 // subscription
	postPaid   = 1 // pay as you go
	serverless = 3
	confluent  = 4
)

// ordinary reports whether an instance has the sizes of 2022; serverless and
// Confluent ones have sizes of their own.
func (in *Instance) ordinary() bool { return in.PaidType != serverless && in.PaidType != confluent }

// prepaid reports whether an instance is paid in advance.
func (in *Instance) prepaid() bool { return in.PaidType == prePaid || in.PaidType == confluent }

func badPaidType() *refusal {
	return refuse(http.StatusBadRequest, "BIZ_INSTANCE_PAIDTYPE_NOT_SUPPORT",
		"The billing method of the instance does not support this operation. "+again)
}

// minimumBalance is what an account must have to buy, in CNY.
const minimumBalance = 100

// pay refuses an order of an account without money.
func (c *Call) pay() *refusal {
	if b := c.account().Balance; b != 0 && b < minimumBalance {
		return refuse(http.StatusBadRequest, "InsufficientBalance", "Your account does not have enough balance.")
	}
	return nil
}

// orderID returns the number of the order that the call places.
func (c *Call) orderID() string { return orderNumber("order", c.ID) }

// orderNumber returns the number of an order that is known by some words.
func orderNumber(words ...string) string {
	return strconv.FormatUint(200_000_000_000_000+hash(words...)%800_000_000_000_000, 10)
}

// createPostPayOrder imitates CreatePostPayOrder: the instance that is bought
// has yet to be started.
func createPostPayOrder(c *Call, w *reply) *refusal { return c.buy(w, postPaid, false) }

// createPrePayOrder imitates CreatePrePayOrder: a month unless Duration says
// otherwise.
func createPrePayOrder(c *Call, w *reply) *refusal { return c.buy(w, prePaid, false) }

// createPostPayInstance imitates CreatePostPayInstance, which tells the id of
// the instance at once.
func createPostPayInstance(c *Call, w *reply) *refusal { return c.buy(w, postPaid, true) }

// createPrePayInstance imitates CreatePrePayInstance.
func createPrePayInstance(c *Call, w *reply) *refusal { return c.buy(w, prePaid, true) }

// buy orders an instance. tell says that the answer names it.
func (c *Call) buy(w *reply, paid int64, tell bool) *refusal {
	in, no := c.ordered(paid)
	if no == nil {
		no = c.pay()
	}
	if no != nil {
		return no
	}
	if tell {
		w.object("Data", func() {
			w.open("OrderId") // a number here, a string elsewhere
			w.buf = append(w.buf, in.OrderID...)
			w.close("OrderId")
			w.text("InstanceId", in.ID)
		})
	} else {
		w.text("OrderId", in.OrderID)
	}
	c.apply(func() {
		a := c.account()
		c.cloud.schedule(c.since+c.cloud.opts.Delays.Order, func(at time.Duration) {
			_ = c.cloud.addInstance(a, in, at) // fails only for what was checked when it was ordered
		})
	})
	return nil
}

// ordered returns the instance that an order describes.
func (c *Call) ordered(paid int64) (Instance, *refusal) {
	a := c.args()
	in := Instance{
		RegionID: a.text("RegionId"), OrderID: c.orderID(), Status: Undeployed, Tags: a.newTags(),
		ResourceGroupID: c.Param("ResourceGroupId"),
	}
	in.PaidType = a.integer("PaidType", 0, confluent, paid)
	if in.prepaid() != (paid == prePaid) {
		a.fail(invalid("PaidType"))
	}
	if !regionKnown(in.RegionID) {
		a.fail(invalid("RegionId"))
	}
	a.size(&in)
	if in.ordinary() && strings.HasSuffix(c.Action, "Order") {
		a.text("DiskType")
		a.text("DeployType")
	}
	in.DiskType = a.integer("DiskType", 0, 1, 0)
	in.DeployType = a.integer("DeployType", 4, 5, 5)
	if in.DeployType == 4 && in.PaidType != confluent && in.EipMax == 0 {
		a.fail(missing("EipMax"))
	}
	in.ID = c.newID(in)
	if months := a.months("Duration"); paid == prePaid {
		in.ExpiresIn = months
	}
	if in.PaidType == serverless {
		in.Series, in.Version = "v3", "3.3.1"
	}
	if in.PaidType == confluent {
		in.Series, in.Version = "confluent", "7.4.0"
	}
	in.Age = 1 // an age of zero means the default
	return in, a.no
}

// specType returns the edition that is ordered, or otherwise when none is named.
func (a *args) specType(otherwise string) string {
	return a.choice("SpecType", otherwise, "normal", "professional", "professionalForHighRead", "serverless", "basic", "enterprise")
}

// size reads the size that is ordered.
func (a *args) size(in *Instance) {
	const most = 1_000_000
	in.SpecType = a.specType("normal")
	in.DiskSize = a.integer("DiskSize", 1, most, 0)
	in.TopicLimit = a.integer("TopicQuota", 1, most, 0)
	in.EipMax = a.integer("EipMax", 0, most, 0)
	partitions := a.integer("PartitionNum", 0, most, 0)
	in.PartitionLimit = includedPartitions + partitions
	reserved := a.sizes("ServerlessConfig")
	in.ReservedPublish, in.ReservedSubscribe = reserved["ReservedPublishCapacity"], reserved["ReservedSubscribeCapacity"]
	in.Confluent = a.sizes("ConfluentConfig")
	switch in.PaidType {
	case serverless:
		if in.SpecType == "normal" {
			in.SpecType = "serverless"
		}
		return
	case confluent:
		return
	}
	if in.DiskSize == 0 {
		a.fail(missing("DiskSize"))
	}
	if in.TopicLimit == 0 && partitions == 0 {
		a.fail(missing("TopicQuota"))
	}
	in.GroupLimit = 2 * in.TopicLimit
	in.IoMax = a.traffic()
	if in.IoMax == 0 {
		a.fail(missing("IoMaxSpec"))
	}
}

// includedPartitions come with every instance.
const includedPartitions = 1000

// traffic returns the traffic that is ordered in MB/s: IoMaxSpec counts more
// than IoMax. Zero means that neither is there.
func (a *args) traffic() int64 {
	if spec := a.Param("IoMaxSpec"); spec != "" {
		v, ok := trafficOf(spec)
		if !ok {
			a.fail(invalid("IoMaxSpec"))
		}
		return v
	}
	return a.integer("IoMax", 1, 1_000_000, 0)
}

// trafficOf returns the MB/s of a traffic class such as alikafka.hw.2xlarge.
func trafficOf(spec string) (int64, bool) {
	text, ok := strings.CutPrefix(spec, "alikafka.hw.")
	if !ok {
		return 0, false
	}
	text, ok = strings.CutSuffix(text, "xlarge")
	n, err := strconv.ParseInt(text, 10, 64)
	return n * 10, ok && err == nil && n > 0 && n < 1000
}

// trafficSpec is the inverse of trafficOf.
func trafficSpec(ioMax int64) string {
	return "alikafka.hw." + itoa(max(2, int(ioMax/10))) + "xlarge"
}

// months returns how long a subscription lasts: a month unless a parameter
// says otherwise.
func (a *args) months(param string) time.Duration {
	n := a.integer(param, 1, 36, 1)
	if n > 12 && n != 24 && n != 36 {
		a.fail(invalid(param))
	}
	now := a.cloud.start.Add(a.since) // UTC, where all days have 24 hours
	return now.AddDate(0, int(n), 0).Sub(now)
}

// newID returns the id of an instance that is bought.
func (c *Call) newID(in Instance) string {
	kind := map[int64]string{prePaid: "pre", postPaid: "post", serverless: "serverless", confluent: "confluent"}[in.PaidType]
	where := "intl"
	if strings.HasPrefix(in.RegionID, "cn-") {
		where = "cn"
	}
	return "alikafka_" + kind + "-" + where + "-" + digits(c.ID, 12)
}

// upgradePostPayOrder imitates UpgradePostPayOrder.
func upgradePostPayOrder(c *Call, _ *reply) *refusal { return c.resize(false, up) }

// upgradePrePayOrder imitates UpgradePrePayOrder, whose answer has an order
// number since 2022.
func upgradePrePayOrder(c *Call, w *reply) *refusal {
	if c.cloud.opts.Edition == EditionCurrent {
		w.text("OrderId", c.orderID())
	}
	return c.resize(true, up)
}

// downgradePostPayOrder imitates DowngradePostPayOrder.
func downgradePostPayOrder(c *Call, _ *reply) *refusal { return c.resize(false, down) }

// downgradePrePayOrder imitates DowngradePrePayOrder.
func downgradePrePayOrder(c *Call, w *reply) *refusal {
	w.text("OrderId", c.orderID())
	return c.resize(true, down)
}

// Directions of resize.
const (
	up   = 1
	down = -1
)

// resize orders another size for an instance.
func (c *Call) resize(prepaid bool, direction int64) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if in.prepaid() != prepaid {
		return badPaidType()
	}
	if no := c.idle(in, "resize"); no != nil {
		return no
	}
	size, no := c.resized(in, direction)
	if no == nil && direction == up {
		no = c.pay()
	}
	if no != nil {
		return no
	}
	c.apply(func() {
		d := c.cloud.opts.Delays
		c.cloud.work(in, "resize", c.since, func(time.Duration) {
			in.Instance = size(in.Instance)
			in.Status = inService
		}, phase{d.Begin, inService, derived}, phase{d.Upgrade, 8, derived})
	})
	return nil
}

// resized returns what an order makes of an instance. Nothing may become
// smaller by an upgrade, or larger by a downgrade.
func (c *Call) resized(in *instance, direction int64) (func(Instance) Instance, *refusal) {
	a := c.args()
	const most = 1_000_000
	if direction == up && in.ordinary() {
		a.text("DiskSize")
		if c.Param("PartitionNum") == "" {
			a.text("TopicQuota")
		}
	}
	to := in.Instance
	to.DiskSize = a.integer("DiskSize", 1, most, in.DiskSize)
	to.TopicLimit = a.integer("TopicQuota", 1, most, in.TopicLimit)
	to.PartitionLimit = includedPartitions + a.integer("PartitionNum", 0, most, in.PartitionLimit-includedPartitions)
	to.EipMax = a.integer("EipMax", 0, most, in.EipMax)
	if v := a.traffic(); v > 0 {
		to.IoMax = v
	} else if direction == up && in.ordinary() {
		a.fail(missing("IoMaxSpec"))
	}
	to.SpecType = a.specType(in.SpecType)
	if reserved := a.sizes("ServerlessConfig"); reserved != nil {
		to.ReservedPublish, to.ReservedSubscribe = reserved["ReservedPublishCapacity"], reserved["ReservedSubscribeCapacity"]
	}
	if sizes := a.sizes("ConfluentConfig"); sizes != nil {
		to.Confluent = sizes
	}
	a.internet(in, &to, direction)
	for _, f := range [][2]int64{
		{in.DiskSize, to.DiskSize}, {in.TopicLimit, to.TopicLimit}, {in.PartitionLimit, to.PartitionLimit}, {in.IoMax, to.IoMax},
	} {
		if (f[1]-f[0])*direction < 0 {
			a.fail(quotaDown("BIZ.LIMIT.QUOTA.DOWN"))
		}
	}
	if direction == up && in.SpecType != "normal" && to.SpecType == "normal" {
		a.fail(quotaDown("BIZ.LIMIT.QUOTA.DOWN.1"))
	}
	if to.TopicLimit < in.usedTopics() || to.PartitionLimit < in.partitions() {
		a.fail(quotaDown("BIZ.LIMIT.QUOTA.DOWN.2"))
	}
	return func(now Instance) Instance {
		now.DiskSize, now.TopicLimit, now.PartitionLimit, now.IoMax = to.DiskSize, to.TopicLimit, to.PartitionLimit, to.IoMax
		now.SpecType, now.EipMax, now.DeployType, now.Confluent = to.SpecType, to.EipMax, to.DeployType, to.Confluent
		now.ReservedPublish, now.ReservedSubscribe = to.ReservedPublish, to.ReservedSubscribe
		now.GroupLimit = max(now.GroupLimit, 2*to.TopicLimit)
		return now
	}, a.no
}

// internet reads whether an instance that is resized has internet access.
func (a *args) internet(in *instance, to *Instance, direction int64) {
	model, given := a.flag("EipModel")
	switch {
	case given && model != (to.EipMax > 0):
		a.fail(refuse(http.StatusBadRequest, "BIZ.LIMIT.PUBNETWORK", "The public bandwidth does not match the network type of the instance. "+again))
	case (to.EipMax-in.EipMax)*direction < 0:
		a.fail(quotaDown("BIZ.LIMIT.QUOTA.DOWN"))
	case given && model:
		to.DeployType = 4
	case given && direction == down:
		to.DeployType = 5
	}
}

func quotaDown(code string) *refusal {
	return refuse(http.StatusBadRequest, code, "The new specification of the instance is not allowed. "+again)
}

// convertPostPayOrder imitates ConvertPostPayOrder: pay-as-you-go becomes a
// subscription. There is no way back.
func convertPostPayOrder(c *Call, w *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	if in.PaidType != postPaid {
		return badPaidType()
	}
	a := c.args()
	if no := c.idle(in, "convert"); no != nil {
		return no
	}
	lasts := a.months("Duration")
	a.integer("PaidType", prePaid, confluent, prePaid)
	a.fail(c.pay())
	if a.no != nil {
		return a.no
	}
	w.text("OrderId", c.orderID())
	c.apply(func() {
		c.cloud.work(in, "convert", c.since, func(at time.Duration) {
			in.PaidType, in.ExpiresIn, in.Status = prePaid, at+lasts, inService
		}, phase{c.cloud.opts.Delays.Order, inService, derived})
	})
	return nil
}
