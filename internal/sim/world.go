package sim

import "time"

const day = 24 * time.Hour

// World is what exists in a simulated cloud when it starts. Tests build one;
// stories and [Generate] do, too. Zero fields get plausible values.
type World struct{ Accounts []Account }

// Account is one cloud account.
type Account struct {
	Name      string
	Keys      []Key   `json:"-"` // none: the keys of [Options]
	Balance   float64 // CNY, of which buying takes at least 100; 0 means plenty
	Instances []Instance
	RabbitMQ  []RabbitMQ // what the other product, amqp-open, lists
}

// Tag is a key and a value on an instance, a topic or a group.
type Tag struct{ Key, Value string }

// Values of the Status of an [Instance] that stand for more than a
// ServiceStatus.
const (
	Undeployed int64 = -1 // bought and not started, which the service calls ServiceStatus 0
	Stopped    int64 = -2 // by StopInstance: ServiceStatus 15 and ViewInstanceStatusCode 3
)

// Instance is an ApsaraMQ for Kafka instance. Units are those of the service.
type Instance struct {
	ID, Name, RegionID string
	OrderID            string
	ResourceGroupID    string
	Series             string // v2, v3 or confluent; default v2
	SpecType           string // default professional
	Version            string // default 2.2.0
	OldMinor           bool   // there is a newer minor release of that version
	Status             int64  // ServiceStatus; 0 means 5 (in service); or Undeployed or Stopped
	PaidType           int64  // 0 subscription, 1 pay-as-you-go, 3 serverless, 4 Confluent
	DeployType         int64  // 4 internet and VPC, 5 VPC only; default 5
	DiskType           int64  // 0 efficient cloud disk, 1 SSD
	DiskSize           int64  // GB; default 900
	IoMax              int64  // MB/s; default 20
	EipMax             int64  // Mbit/s
	TopicLimit         int64  // default 50
	PartitionLimit     int64  // default 1100
	GroupLimit         int64  // default 200
	ReservedPublish    int64  // MB/s, serverless
	ReservedSubscribe  int64  // MB/s, serverless

	VpcID, VSwitchID, ZoneID, SecurityGroup, KMSKeyID string // where it is deployed

	Age       time.Duration // since it was created; default 400 days
	ExpiresIn time.Duration // from the start of the cloud; default 300 days
	Retention time.Duration // of messages, in whole hours; default 72 h

	AutoTopics     bool  // topics are created when they are first produced to
	AutoGroups     bool  // groups are created when they first commit
	AutoPartitions int64 // of topics created so; default 12

	Config    map[string]string // AllConfig entries besides retention
	Confluent map[string]int64  // sizes of the components of a Confluent instance
	Allowed   []AllowedIPs
	SaslUsers []SaslUser
	ACLs      []ACL
	Rules     []ScalingRule
	Tags      []Tag
	Topics    []Topic
	Groups    []Group
}

// AllowedIPs is the whitelist of one port range.
type AllowedIPs struct {
	Internet  bool   // of the public network; else of the VPC
	PortRange string // such as 9092/9092
	IPs       []string
}

// SaslUser is a SASL user. Unlike the exporter, the service knows and answers
// its password.
type SaslUser struct {
	Username  string
	Password  string `json:"-"`
	Type      string // plain or scram; default plain
	Mechanism string // SCRAM-SHA-256 or SCRAM-SHA-512, of serverless instances
}

// ScalingRule reserves throughput of a serverless instance at set times.
type ScalingRule struct {
	ID                                 int64 // default: counts from 1
	Name                               string
	Schedule                           string // at or repeat
	Repeat                             string // Daily or Weekly
	Days                               []string
	First                              time.Time
	Zone                               string // such as GMT+8
	Lasts                              time.Duration
	ReservedPublish, ReservedSubscribe int64 // MB/s
	Enabled                            bool
}

// ACL is one entry of an access control list.
type ACL struct {
	Username     string
	ResourceType string // Topic, Group, Cluster or TransactionalId
	ResourceName string
	Pattern      string // LITERAL or PREFIXED; default LITERAL
	Operation    string // Write, Read, Describe, IdempotentWrite
	Host         string // default *
	Permission   string // ALLOW or DENY; default ALLOW
}

// Topic is a topic and how it is produced to.
type Topic struct {
	Name       string
	Partitions int     // default 12
	Rate       float64 // mean messages per second over all partitions; 0 means never produced to
	Shape      Shape
	Period     time.Duration // of the shape; default 10 minutes
	Quiet      time.Duration // production ended this long before the start; 0 goes on
	Age        time.Duration // since it was created; default 30 days

	Remark        string
	Compact       bool
	Local         bool
	AutoCreated   bool
	WithoutRegion bool              // as serverless instances answer it
	PortRange     string            // that its producers connect to; default 9092/9092
	Replicas      int64             // default 3
	MinISR        int64             // min.insync.replicas; 0 means that none was set
	Config        map[string]string // settings of its own, such as retention.ms
	Tags          []Tag
}

// Shape is how the rate of a producer changes within its period.
type Shape uint8

// The shapes of production.
const (
	Wave         Shape = iota // a slow sine around the mean
	Steady                    // always the mean
	Bursts                    // short peaks of ten times the base
	Intermittent              // a sixth of the period, then silence
)

// Group is a consumer group and how it consumes.
type Group struct {
	Name          string
	Remark        string
	Age           time.Duration // since it was created; default 30 days
	AutoCreated   bool
	PortRange     string // that its members connect to; default 9092/9092
	Tags          []Tag
	Subscriptions []Subscription

	Members     int           // consumers online; 0 means 2
	MemberRate  float64       // messages a second that a member can consume, of all its partitions together; 0: any number. Its topics are Steady
	Address     string        // of the first member, the others count up; the whitelist must let it in from the start. Default: somewhere that is let in
	Offline     bool          // no consumer is online, offsets stay until some are
	CommitEvery time.Duration // default 5 s
	Scene       Scene         // what goes wrong, again and again
}

// Subscription is a topic that a group has committed offsets of.
type Subscription struct {
	Topic string
	Delay time.Duration // how far behind the producer the group usually is; default 200 ms
	Left  time.Duration // the group stopped reading this topic so long before the start; 0 reads on
}

// RabbitMQ is an instance of the other product, as its ListInstances shows it.
type RabbitMQ struct {
	ID, Name, RegionID string
	InstanceType       string // default professional
	Status             string // default SERVING
}
