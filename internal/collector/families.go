package collector

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// The metric families, each in one row. An entity declares its identity labels
// once; what a family adds to them is in its row. HELP and TYPE on the page,
// docs/metrics.md and the checks of alerts and dashboards come from here.

// emit shows a sample with the values of the family's own labels.
type emit func(v float64, own ...string)

// family is a metric family about an E.
type family[E any] struct {
	name string
	own  []string // labels besides those of the entity
	help string
	show func(E, emit)
}

// entity is a kind of thing that families are about.
type entity[E any] struct {
	kind   kind // how it is rendered
	labels []string
	// level is the coarsest that shows it; 0: all of them do.
	level Level
	// each visits every E after it has set the values of labels.
	each     func(*view, func(E))
	families []family[E]
}

// view is a snapshot on its way to the samples of families. What one sample
// needs lives in it, so that a visit of a million partitions allocates nothing.
type view struct {
	*Snapshot
	config   Config
	instance string // id of the only instance to show; "" for all
	gate     gate

	labels []string // of the sample that is shown
	entity int      // how many of them are the entity's
	emit   emit
}

// newView returns a view whose samples show is told, with labels that the next
// sample overwrites.
func newView(s *Snapshot, c Config, instance string, show func(value float64, labels []string)) *view {
	v := &view{Snapshot: s, config: c, instance: instance, labels: make([]string, 0, 16)}
	v.emit = func(value float64, own ...string) {
		v.labels = append(v.labels[:v.entity], own...)
		show(value, v.labels)
	}
	return v
}

// identity sets the values of the entity's labels.
func (v *view) identity(values ...string) {
	v.labels = append(v.labels[:0], values...)
	v.entity = len(values)
}

func (v *view) ttl(source string) time.Duration { return ttlOf(&v.config, source) }

// Family describes a metric family, for documentation and checks.
type Family struct {
	Name   string
	Help   string
	Labels []string
}

// Type is that of a counter for names that end in _total, else of a gauge.
func (f Family) Type() exposition.Type {
	if strings.HasSuffix(f.Name, "_total") {
		return exposition.Counter
	}
	return exposition.Gauge
}

// Unit is the base unit that the name ends in, but for _total; "" where that is
// none.
func (f Family) Unit() string {
	name := strings.TrimSuffix(f.Name, "_total")
	for _, unit := range []string{"seconds", "bytes"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// Families returns all families that a configuration can show, sorted by
// entity.
func Families(c Config) []Family {
	var fs []Family
	for _, f := range table(c) {
		fs = append(fs, f.family())
	}
	return fs
}

// anyFamily is a row of any entity.
type anyFamily interface {
	family() Family
	kind() kind
	coarsest() Level
	samples(*view)
}

// row is a family together with its entity.
type row[E any] struct {
	entity entity[E]
	about  family[E]
}

func (r row[E]) family() Family {
	return Family{r.about.name, r.about.help, append(slices.Clone(r.entity.labels), r.about.own...)}
}

func (r row[E]) kind() kind { return r.entity.kind }

// coarsest is the coarsest level that shows the family; 0: all of them do.
func (r row[E]) coarsest() Level { return r.entity.level }

func (r row[E]) samples(v *view) {
	show, emit := r.about.show, v.emit
	r.entity.each(v, func(e E) { show(e, emit) })
}

// rows makes rows of an entity's families.
func rows[E any](e entity[E]) []anyFamily {
	rs := make([]anyFamily, len(e.families))
	for i, f := range e.families {
		rs[i] = row[E]{e, f}
	}
	return rs
}

// table returns every family. Those of tags depend on the configuration.
func table(c Config) []anyFamily {
	return slices.Concat(
		rows(regionEntity), rows(withTags(instanceEntity, "alikafka_instance_tags_info", "Allow-listed tags of the instance.", c.Tags, func(i instanceView) []api.Tag { return i.Info.Data.Tags })),
		rows(withTags(topicEntity, "alikafka_topic_tags_info", "Allow-listed tags of the topic.", c.Tags, func(t topicView) []api.Tag { return t.Info.Data.Tags })),
		rows(partitionEntity),
		rows(withTags(groupEntity, "alikafka_consumer_group_tags_info", "Allow-listed tags of the consumer group.", c.Tags, func(g groupView) []api.Tag { return g.Info.Data.Tags })),
		rows(groupTopicEntity), rows(withOwners(groupPartitionEntity, c.OwnerInfo)), rows(sourceEntity), rows(planEntity), rows(planActionEntity),
	)
}

// chosen returns the families that the configuration asks for.
func chosen(c Config) []anyFamily {
	return slices.DeleteFunc(table(c), func(f anyFamily) bool { return !c.Metrics.Match(f.family().Name) })
}

var labelChar = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// TagLabel is the label that a tag key becomes.
func TagLabel(key string) string { return "tag_" + labelChar.ReplaceAllString(key, "_") }

// withTags adds the family of an entity's tags. Objects without any of the
// allow-listed tags have no sample.
func withTags[E any](e entity[E], name, help string, keys []string, tags func(E) []api.Tag) entity[E] {
	if len(keys) == 0 {
		return e
	}
	own := make([]string, len(keys))
	for i, k := range keys {
		own[i] = TagLabel(k)
	}
	e.families = append(slices.Clone(e.families), family[E]{name, own, help, func(x E, show emit) {
		values, tagged := make([]string, len(keys)), false
		for _, t := range tags(x) {
			if i := slices.Index(keys, t.Key); i >= 0 {
				values[i], tagged = t.Value, true
			}
		}
		if tagged {
			show(1, values...)
		}
	}})
	return e
}

// Regions.

var regionEntity = entity[*Region]{
	kind:   kindLive,
	labels: []string{"account", "region_id"},
	each: func(v *view, yield func(*Region)) {
		if v.instance != "" {
			return
		}
		for _, r := range v.Regions {
			v.identity(r.Account, r.ID)
			yield(r)
		}
	},
	families: []family[*Region]{
		{"alikafka_up", nil, "Whether the last GetInstanceList of the region succeeded.", func(r *Region, show emit) {
			if r.Tried {
				show(boolean(r.Up))
			}
		}},
		{"alikafka_instances", nil, "Instances that are watched in the region.", func(r *Region, show emit) {
			if r.Fresh {
				show(float64(r.Instances))
			}
		}},
	},
}

// Instances.

// instanceView is an instance whose description is fresh.
type instanceView struct {
	*Instance
	v *view
}

var instanceEntity = entity[instanceView]{
	kind:   kindInstance,
	labels: []string{"account", "region_id", "instance_id"},
	each: func(v *view, yield func(instanceView)) {
		v.eachInstance(func(i *Instance) {
			if i.Info.fresh(v.At, v.ttl(sourceInstances)) {
				v.identity(i.Account, i.RegionID, i.ID)
				yield(instanceView{i, v})
			}
		})
	},
	families: []family[instanceView]{
		{
			"alikafka_instance_info",
			[]string{"instance_name", "version", "spec_type", "deploy_type", "disk_type", "paid_type", "vpc_id", "zone_id"},
			"What the instance is; 1.", func(i instanceView, show emit) {
				d := i.Info.Data
				show(1, d.Name, d.Upgrade.Version, d.SpecType, deployTypes.name(d.DeployType), diskTypes.name(d.DiskType), paidTypes.name(d.PaidType), d.VpcID, d.ZoneID)
			},
		},
		{
			"alikafka_instance_status",
			[]string{"status"},
			"State of the instance; 1 for the one it is in. An unknown ServiceStatus is unknown, see alikafka_instance_service_status_code.",
			func(i instanceView, show emit) {
				now := statusName(i.Info.Data.Instance)
				for _, s := range statusNames {
					show(boolean(s == now), s)
				}
			},
		},
		{"alikafka_instance_service_status_code", nil, "ServiceStatus as the API gives it; 5 is in service.", func(i instanceView, show emit) {
			showInt(show, i.Info.Data.ServiceStatus, 1)
		}},
		{"alikafka_instance_created_timestamp_seconds", nil, "When the instance was created (CreateTime).", func(i instanceView, show emit) {
			showTime(show, i.Info.Data.CreateTime)
		}},
		{"alikafka_instance_expiry_timestamp_seconds", nil, "When the subscription ends (ExpiredTime). Absent for instances that are not paid in advance.", func(i instanceView, show emit) {
			if p := i.Info.Data.PaidType; p != nil && (*p == paidSubscription || *p == paidConfluent) {
				showTime(show, i.Info.Data.ExpiredTime)
			}
		}},
		{"alikafka_instance_disk_size_bytes", nil, "Disk size (DiskSize, GB of 2^30 bytes).", func(i instanceView, show emit) {
			showInt(show, i.Info.Data.DiskSize, 1<<30)
		}},
		{"alikafka_instance_traffic_limit_bytes_per_second", nil, "Traffic that the instance is sized for, read and write each (IoMax, MB/s of 2^20 bytes).", func(i instanceView, show emit) {
			showInt(show, i.Info.Data.IoMax, 1<<20)
		}},
		{"alikafka_instance_public_bandwidth_bytes_per_second", nil, "Internet bandwidth (EipMax, Mbit/s of 125000 bytes).", func(i instanceView, show emit) {
			showInt(show, i.Info.Data.EipMax, 125_000)
		}},
		{"alikafka_instance_message_retention_seconds", nil, "How long messages are kept (kafka.log.retention.hours of AllConfig, else MsgRetain).", func(i instanceView, show emit) {
			if h, ok := i.configInt("kafka.log.retention.hours"); ok {
				show(float64(h) * 3600)
			} else {
				showInt(show, i.Info.Data.MsgRetain, 3600)
			}
		}},
		{"alikafka_instance_message_max_bytes", nil, "Largest message that the instance takes (kafka.message.max.bytes of AllConfig).", func(i instanceView, show emit) {
			if n, ok := i.configInt("kafka.message.max.bytes"); ok {
				show(float64(n))
			}
		}},
		{"alikafka_instance_acl_enabled", nil, "Whether ACLs are enabled (enable.acl of AllConfig).", func(i instanceView, show emit) {
			i.showFlag(show, "enable.acl")
		}},
		{"alikafka_instance_vpc_sasl_ssl_enabled", nil, "Whether the VPC's SASL_SSL endpoint is enabled (enable.vpc_sasl_ssl of AllConfig).", func(i instanceView, show emit) {
			i.showFlag(show, "enable.vpc_sasl_ssl")
		}},
		{"alikafka_instance_topics", nil, "Topics of the instance, filtered out or not.", func(i instanceView, show emit) {
			if i.TopicList.fresh(i.v.At, i.v.ttl(sourceTopics)) {
				show(float64(i.TopicList.Data.Topics))
			} else {
				showInt(show, i.Info.Data.UsedTopicCount, 1)
			}
		}},
		{"alikafka_instance_topics_limit", nil, "Topics that the instance may have (TopicNumLimit).", func(i instanceView, show emit) {
			showInt(show, i.Info.Data.TopicNumLimit, 1)
		}},
		{"alikafka_instance_partitions", nil, "Partitions that count against the limit (PartitionUsed of GetQuotaTip, else those of all topics).", func(i instanceView, show emit) {
			switch q := i.quota(); {
			case q != nil && q.QuotaData.PartitionUsed != nil:
				showInt(show, q.QuotaData.PartitionUsed, 1)
			case i.TopicList.fresh(i.v.At, i.v.ttl(sourceTopics)):
				show(float64(i.TopicList.Data.Partitions))
			default:
				showInt(show, i.Info.Data.UsedPartitionCount, 1)
			}
		}},
		{"alikafka_instance_partitions_limit", nil, "Partitions that the instance may have (PartitionQuota of GetQuotaTip).", func(i instanceView, show emit) {
			if q := i.quota(); q != nil {
				showInt(show, q.QuotaData.PartitionQuota, 1)
			}
		}},
		{"alikafka_instance_consumer_groups", nil, "Consumer groups of the instance, filtered out or not.", func(i instanceView, show emit) {
			if i.GroupList.fresh(i.v.At, i.v.ttl(sourceGroups)) {
				show(float64(i.GroupList.Data))
			} else {
				showInt(show, i.Info.Data.UsedGroupCount, 1)
			}
		}},
		{"alikafka_instance_consumer_groups_limit", nil, "Consumer groups that the instance may have (GroupUsed and GroupLeft of GetQuotaTip).", func(i instanceView, show emit) {
			if q := i.quota(); q != nil && q.QuotaData.GroupUsed != nil && q.QuotaData.GroupLeft != nil {
				show(float64(*q.QuotaData.GroupUsed + *q.QuotaData.GroupLeft))
			}
		}},
		{
			"alikafka_series_suppressed",
			[]string{"reason"},
			"Series of the instance that are not shown because of collect.granularity or collect.series_budget. Absent for what is not configured.",
			func(i instanceView, show emit) {
				if d := i.detail; d != nil && len(i.v.config.Granularity) > 0 {
					show(float64(d.suppressed[byGranularity]), suppressionNames[byGranularity])
				}
				if d := i.detail; d != nil && d.kept != nil {
					show(float64(d.suppressed[byBudget]), suppressionNames[byBudget])
				}
			},
		},
		{"alikafka_instance_allowed_ips", []string{"network", "port_range"}, "Entries of the IP whitelist.", func(i instanceView, show emit) {
			i.eachAllowed(func(network string, p api.AllowedPorts) { show(float64(len(p.IPs)), network, p.PortRange) })
		}},
		{"alikafka_instance_open_to_world", []string{"network", "port_range"}, "Whether the whitelist allows all addresses of IPv4 or IPv6.", func(i instanceView, show emit) {
			i.eachAllowed(func(network string, p api.AllowedPorts) {
				show(boolean(slices.ContainsFunc(p.IPs, wholeFamily)), network, p.PortRange)
			})
		}},
	},
}

func (v *view) eachInstance(f func(*Instance)) {
	for _, i := range v.Instances {
		if v.instance == "" || v.instance == i.ID {
			f(i)
		}
	}
}

func (i instanceView) quota() *api.Quota {
	if !i.Quota.fresh(i.v.At, i.v.ttl(sourceQuota)) {
		return nil
	}
	return &i.Quota.Data
}

func (i instanceView) configInt(key string) (int64, bool) {
	n, err := strconv.ParseInt(i.Info.Data.Config[key], 10, 64)
	return n, err == nil
}

func (i instanceView) showFlag(show emit, key string) {
	if b, err := strconv.ParseBool(i.Info.Data.Config[key]); err == nil {
		show(boolean(b))
	}
}

func (i instanceView) eachAllowed(f func(network string, p api.AllowedPorts)) {
	if !i.AllowedIPs.fresh(i.v.At, i.v.ttl(sourceAllowedIPs)) {
		return
	}
	each := func(network string, list []api.AllowedPorts) {
		ips := map[string][]string{} // a range may be listed twice
		for _, p := range list {
			ips[p.PortRange] = append(ips[p.PortRange], p.IPs...)
		}
		for _, portRange := range sortedKeys(ips) {
			f(network, api.AllowedPorts{PortRange: portRange, IPs: ips[portRange]})
		}
	}
	each("internet", i.AllowedIPs.Data.AllowedList.Internet)
	each("vpc", i.AllowedIPs.Data.AllowedList.VPC)
}

// wholeFamily reports whether a whitelist entry allows every address.
func wholeFamily(entry string) bool {
	p, err := netip.ParsePrefix(strings.TrimSpace(entry))
	return err == nil && p.Bits() == 0
}

// enum names the numbers of an enumeration of the API.
type enum map[int64]string

// name returns the number's name, the number itself where it has none, and ""
// where there is no number.
func (e enum) name(n *int64) string {
	if n == nil {
		return ""
	}
	if s, ok := e[*n]; ok {
		return s
	}
	return strconv.FormatInt(*n, 10)
}

// Values of PaidType that decide something.
const (
	paidSubscription = 0
	paidAsYouGo      = 1
	paidConfluent    = 4
)

var (
	paidTypes   = enum{paidSubscription: "subscription", paidAsYouGo: "pay_as_you_go", 3: "serverless", paidConfluent: "confluent"}
	deployTypes = enum{4: "internet", 5: "vpc"}
	diskTypes   = enum{0: "efficiency", 1: "ssd"}

	// serviceStatuses are those of ServiceStatus, viewStatuses those of
	// ViewInstanceStatusCode, which uses the same numbers for other things.
	serviceStatuses = enum{
		statusAwaiting: "awaiting_deployment", 1: "deploying", 2: "initializing", 3: "starting", 5: "in_service", 6: "migrating",
		7: "ready_to_upgrade", 8: "upgrading", 9: "ready_to_change", statusReleased: "released", 11: "changing", 15: "expired", 30: "scaling",
	}
	viewStatuses = enum{
		0: "awaiting_deployment", 1: "deploying", 2: "in_service", 3: "stopped", 4: "expiring", 5: "expired", 6: "released", 7: "upgrading",
		8: "migrating", 21: "stopping", 22: "starting", 23: "releasing", 30: "scaling", 101: "failed", 102: "failed", 103: "failed",
	}

	// statusNames are the values of the status label.
	statusNames = []string{
		"awaiting_deployment", "deploying", "initializing", "starting", "in_service", "expiring", "migrating", "ready_to_upgrade", "upgrading",
		"ready_to_change", "changing", "scaling", "stopping", "stopped", "expired", "releasing", "released", "failed", "unknown",
	}
)

// statusName returns the state of an instance. ServiceStatus decides, but for
// what only the newer field can say of an instance that is in service by the
// older one.
func statusName(i api.Instance) string {
	byView := ""
	if i.ViewInstanceStatusCode != nil {
		byView = viewStatuses[*i.ViewInstanceStatusCode]
	}
	if i.ServiceStatus == nil {
		return orUnknown(byView)
	}
	s := serviceStatuses[*i.ServiceStatus]
	if s == "in_service" && byView != "" || s == "" {
		s = byView
	}
	return orUnknown(s)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func showInt(show emit, n *int64, factor float64) {
	if n != nil {
		show(float64(*n) * factor)
	}
}

// showTime shows Unix milliseconds as seconds; 0 and -1 mean that there is no
// time.
func showTime(show emit, ms int64) {
	if ms > 0 {
		show(float64(ms) / 1000)
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// ageOf is for the one kind of age that is exported: that of the data.
func ageOf(v *view, t time.Time) float64 { return max(0, v.At.Sub(t).Seconds()) }

// partitionLabels are ready for every partition that a topic may have.
var partitionLabels = func() (s [361]string) {
	for i := range s {
		s[i] = strconv.Itoa(i)
	}
	return s
}()

// partitionLabel is the label of a partition number.
func partitionLabel(n int32) string {
	if n >= 0 && int(n) < len(partitionLabels) {
		return partitionLabels[n]
	}
	return strconv.FormatInt(int64(n), 10)
}
