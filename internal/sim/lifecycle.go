package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// idle refuses to begin a work with an instance that is not in service or is
// being worked on.
func (c *Call) idle(in *instance, kind string) *refusal {
	if in.busy == kind {
		return refuse(http.StatusBadRequest, "ScheduledTask.AlreadyHasSameTaskType",
			"The instance already has a scheduled task of the same type. "+again)
	}
	if service, _ := in.status(c.since); service != inService || in.busy != "" {
		return badStatus()
	}
	return nil
}

// startInstance imitates StartInstance: an instance that was bought is
// deployed into a VPC.
func startInstance(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if in.Status != 0 || in.busy != "" {
		return refuse(http.StatusBadRequest, "INSTANCE_STATUS_NOT_WAIT_DEPLOY", "The instance is not waiting to be deployed. "+again)
	}
	deployed, no := c.deployment(in)
	if no != nil {
		return no
	}
	c.apply(func() {
		in.Instance = deployed
		d := c.cloud.opts.Delays.Deploy
		c.cloud.work(in, "deploy", c.since, func(time.Duration) { in.Status = inService },
			phase{d * 4 / 10, 1, derived}, phase{d * 3 / 10, 2, derived}, phase{d - d*7/10, 3, derived})
	})
	return nil
}

// deployment returns an instance as StartInstance sets it up.
func (c *Call) deployment(in *instance) (Instance, *refusal) {
	a := c.args()
	to := in.Instance
	to.VpcID, to.VSwitchID = a.text("VpcId"), c.Param("VSwitchId")
	if ids := c.request.params.list("VSwitchIds"); to.VSwitchID == "" && len(ids) > 0 {
		to.VSwitchID = ids[0]
	}
	if to.VSwitchID == "" {
		a.fail(missing("VSwitchId"))
	}
	zone := c.Param("ZoneId")
	if i := strings.LastIndexByte(zone, '-'); i >= 0 {
		zone = "zone" + zone[i+1:]
	}
	orElse(&zone, "zone"+in.zone())
	to.ZoneID, to.SecurityGroup, to.KMSKeyID = zone, c.Param("SecurityGroup"), c.Param("KMSKeyId")
	module := map[int64]string{4: "eip", 5: "vpc"}[in.DeployType]
	inner, given := a.flag("IsEipInner")
	if m := a.choice("DeployModule", "", "vpc", "eip"); m != "" && m != module || given && inner != (module == "eip") {
		a.fail(refuse(http.StatusBadRequest, "DeployType.NotSupport", "The deployment mode does not match the instance. "+again))
	}
	if c.Param("Name") != "" {
		to.Name = a.name("Name", maxName)
		if c.nameTaken(in, to.Name) {
			a.fail(refuse(http.StatusBadRequest, "INVALID_PARAMETER_DATA_ALREADY_EXIST", "The instance name already exists. "+again))
		}
	}
	if v := strings.TrimSpace(c.Param("ServiceVersion")); v != "" {
		if !slices.Contains(versions(), v) {
			a.fail(invalid("ServiceVersion"))
		}
		to.Version = v
	}
	a.initialUser(&to)
	a.configure(&to)
	return to, a.no
}

// maxName is how many characters of a name are kept; of a group's name more.
const (
	maxName      = 64
	maxGroupName = 128
)

// versions are the versions of Kafka that can be had, in order.
func versions() []string { return []string{"0.10.2", "2.2.0", "2.6.2", "3.3.1"} }

// nameTaken reports whether another instance of the region has a name.
func (c *Call) nameTaken(in *instance, name string) bool {
	return slices.ContainsFunc(c.account().instances, func(other *instance) bool {
		return other != in && other.RegionID == in.RegionID && other.Name == name
	})
}

// initialUser reads the SASL user that StartInstance sets up.
func (a *args) initialUser(to *Instance) {
	wanted, _ := a.flag("IsSetUserAndPassword")
	if !wanted {
		return
	}
	if to.DeployType != 4 {
		a.fail(invalid("IsSetUserAndPassword"))
	}
	u := SaslUser{Username: a.text("Username"), Password: a.text("Password"), Type: "plain"}
	to.SaslUsers = append(slices.Clone(to.SaslUsers), u)
}

// modifyInstanceName imitates ModifyInstanceName. What is longer than 64
// characters is cut silently.
func modifyInstanceName(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if in.Status == released {
		return badStatus()
	}
	a := c.args()
	name := a.name("InstanceName", maxName)
	if a.no != nil {
		return a.no
	}
	c.apply(func() { in.Name = name })
	return nil
}

// releaseInstance imitates ReleaseInstance: pay-as-you-go instances only, and
// only empty ones.
func releaseInstance(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	a := c.args()
	force, _ := a.flag("ForceDeleteInstance")
	if a.no != nil {
		return a.no
	}
	stopped := in.view == viewStopped
	switch {
	case in.prepaid():
		return badPaidType()
	case in.busy != "", in.Status != inService && in.Status != 0 && !stopped:
		return badStatus()
	case in.usedTopics() > 0:
		return refuse(http.StatusBadRequest, "BIZ_INSTANCE_RELEASE_EXIST_TOPIC_ERROR", "The instance still has topics. "+again)
	case len(in.groups) > 0:
		return refuse(http.StatusBadRequest, "BIZ_INSTANCE_RELEASE_EXIST_CONSUMER_GROUP_ERROR", "The instance still has consumer groups. "+again)
	case c.since+in.Age < c.cloud.opts.Delays.MinimumStay:
		return refuse(http.StatusBadRequest, "BIZ_INSTANCE_RELEASE_LESSHOUR_ERROR", "The instance was created less than an hour ago. "+again)
	}
	c.apply(func() {
		kept := c.cloud.opts.Delays.Release
		if force {
			kept = 0
		}
		in.stop(c.since)
		c.cloud.work(in, "release", c.since, func(time.Duration) { in.Status = released }, phase{kept, expired, viewReleasing})
	})
	return nil
}

// deleteInstance imitates DeleteInstance, which takes what was released.
func deleteInstance(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if service, _ := in.status(c.since); service != expired && service != released || in.view == viewStopped || in.view == viewStopping {
		return refuse(http.StatusBadRequest, "InstanceStatus.NotReleased", "The instance is not released. "+again)
	}
	c.apply(func() { c.cloud.removeInstance(in) })
	return nil
}

// stopInstance imitates StopInstance: clients lose their connections at once.
func stopInstance(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if in.prepaid() {
		return badPaidType()
	}
	if no := c.idle(in, "stop"); no != nil {
		return no
	}
	c.apply(func() {
		in.stop(c.since)
		c.cloud.work(in, "stop", c.since, func(time.Duration) { in.Status, in.view = expired, viewStopped },
			phase{c.cloud.opts.Delays.Stop, expired, viewStopping})
	})
	return nil
}

// reopenInstance imitates ReopenInstance: an instance that was stopped starts
// again.
func reopenInstance(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if in.busy != "" || in.view != viewStopped {
		return badStatus()
	}
	c.apply(func() {
		c.cloud.work(in, "reopen", c.since, func(at time.Duration) {
			in.Status = inService
			in.start(at)
		}, phase{c.cloud.opts.Delays.Deploy, 3, viewStarting})
	})
	return nil
}

// failoverTest imitates FailoverTest, of which nothing is documented but its
// parameters: the groups of the instance rebalance.
func failoverTest(c *Call, _ *reply) *refusal {
	if c.Param("InstanceId") == "" {
		return missing("InstanceId")
	}
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	a.integer("Duration", 0, 1<<40, 0)
	a.integer("ExecuteTime", 0, 1<<52, 0)
	a.mapping("Configs")
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		for _, g := range in.groups {
			g.rebalanced(c.since, "the group coordinator failed over")
		}
	})
	return nil
}
