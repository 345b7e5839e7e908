package sim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The key of AllConfig that is a field of its own, and those with rules.
const (
	keyRetention  = "kafka.log.retention.hours"
	keyMaxMessage = "kafka.message.max.bytes"
	keyACL        = "enable.acl"
	keyVPCSaslSSL = "enable.vpc_sasl_ssl"
)

// updateInstanceConfig imitates UpdateInstanceConfig. The configuration reads
// as new at once, while the brokers restart only after a moment in which the
// instance is still in service.
func updateInstanceConfig(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if no := c.idle(in, "config"); no != nil {
		return no
	}
	a := c.args()
	to := in.Instance
	a.configure(&to)
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		in.Config, in.Retention = to.Config, to.Retention
		for _, t := range in.topics {
			t.retain(in.retentionOf(t.Topic), c.since)
		}
		d := c.cloud.opts.Delays
		c.cloud.work(in, "config", c.since, func(time.Duration) { in.Status = inService },
			phase{d.Begin, inService, derived}, phase{d.Change, 11, derived})
	})
	return nil
}

// configure reads the Config of an instance.
func (a *args) configure(to *Instance) {
	settings := a.mapping("Config")
	if len(settings) == 0 {
		return
	}
	to.Config = maps.Clone(to.Config)
	if to.Config == nil {
		to.Config = make(map[string]string)
	}
	for key, value := range settings {
		switch key {
		case keyRetention:
			to.Retention = time.Duration(a.setting(key, value, 24, 480)) * time.Hour
		case keyMaxMessage:
			a.setting(key, value, 1<<20, 10<<20)
			to.Config[key] = value
		case keyACL, keyVPCSaslSSL, "enable.tiered", "enable.compact":
			if value != "true" && value != "false" {
				a.fail(badField(key))
			}
			to.Config[key] = value
		case "cloud.maxTieredStoreSpace":
			a.setting(key, value, 0, 1<<40)
			to.Config[key] = value
		default:
			a.fail(badField(key))
		}
	}
	switch acl := to.Config[keyACL] == "true"; {
	case acl && to.SpecType == "normal":
		a.fail(refuse(http.StatusBadRequest, "BIZ_INSTANCE_ONLY_PROFESSIONAL_SUPPORT", "Only instances of the professional edition support this operation. "+again))
	case acl && to.Version == "0.10.2":
		a.fail(refuse(http.StatusBadRequest, "BIZ_CAN_NOT_ENABLE_ACL", "ACL cannot be enabled for the instance. "+again))
	case !acl && to.Config[keyVPCSaslSSL] == "true":
		a.fail(refuse(http.StatusBadRequest, "BIZ_ACL_NOT_ENABLED", "ACL is not enabled for the instance. "+again))
	}
}

// setting reads a number of a configuration.
func (a *args) setting(key, value string, low, high int64) int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < low || n > high {
		a.fail(badField(key))
	}
	return n
}

func badField(name string) *refusal {
	return refuse(http.StatusBadRequest, "BIZ_FIELD_CHECK_INVALID", "The field "+name+" is invalid. "+again)
}

// upgradeInstanceVersion imitates UpgradeInstanceVersion. The version that the
// instance has stands for its newest minor release.
func upgradeInstanceVersion(c *Call, _ *reply) *refusal {
	in, no := c.instance()
	if no != nil {
		return no
	}
	if no := c.idle(in, "version"); no != nil {
		return no
	}
	target := c.Param("TargetVersion")
	from, to := slices.Index(versions(), in.Version), slices.Index(versions(), target)
	switch {
	case to < 0 || to < from:
		return refuse(http.StatusBadRequest, "InvalidParameter.VersionNotSupport", "The version is not supported. "+again)
	case to == from && !in.OldMinor:
		return refuse(http.StatusBadRequest, "ONS_INIT_ENV_ERROR", "The instance is up to date. "+again)
	}
	c.apply(func() {
		d := c.cloud.opts.Delays
		c.cloud.work(in, "version", c.since, func(time.Duration) {
			in.Version, in.OldMinor, in.Status = target, false, inService
		}, phase{d.Begin, inService, derived}, phase{d.Upgrade, 8, derived})
	})
	return nil
}

// enableAutoTopicCreation imitates EnableAutoTopicCreation.
func enableAutoTopicCreation(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	operate := a.choice("Operate", "", "enable", "disable", "updatePartition")
	partitions := a.integer("PartitionNum", 1, maxPartitions, 0)
	update, _ := a.flag("UpdatePartition")
	switch {
	case operate == "":
		a.fail(missing("Operate"))
	case (update || operate == "updatePartition") && partitions == 0:
		a.fail(missing("PartitionNum"))
	}
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		switch operate {
		case "enable":
			in.AutoTopics = true
		case "disable":
			in.AutoTopics = false
		}
		if partitions > 0 {
			in.AutoPartitions = partitions
		}
	})
	return nil
}

// enableAutoGroupCreation imitates EnableAutoGroupCreation.
func enableAutoGroupCreation(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	enable, _ := a.flag("Enable")
	if a.no != nil {
		return a.no
	}
	c.apply(func() { in.AutoGroups = enable })
	return nil
}

// changeResourceGroup imitates ChangeResourceGroup, which knows instances
// only.
func changeResourceGroup(c *Call, w *reply) *refusal {
	in, no := c.instanceOf("ResourceId")
	if no != nil {
		return no
	}
	to := c.Param("NewResourceGroupId")
	if !strings.HasPrefix(to, "rg-") {
		return invalid("NewResourceGroupId")
	}
	w.text("NewResourceGroupId", to)
	c.apply(func() { in.ResourceGroupID = to })
	return nil
}
