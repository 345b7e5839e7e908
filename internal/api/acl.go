package api

import "github.com/alikafka-exporter/alikafka-exporter/internal/secret"

// Requests and replies about who may connect: IP whitelists, SASL users, ACLs.

// GetAllowedIpList returns the whole IP whitelist of an instance.
type GetAllowedIpList struct {
	Returns[AllowedIPs]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// AllowedIPs is the reply of GetAllowedIpList.
type AllowedIPs struct {
	AllowedList struct {
		DeployType int64          `json:"DeployType"`
		Internet   []AllowedPorts `json:"InternetList"`
		VPC        []AllowedPorts `json:"VpcList"`
	} `json:"AllowedList"`
}

// AllowedPorts are the whitelist entries of one port range, such as
// "9092/9092".
type AllowedPorts struct {
	PortRange string   `json:"PortRange"`
	IPs       []string `json:"AllowedIpList"`
	// What follows is in newer editions only.
	Groups                         map[string]string `json:"AllowedIpGroup"` // of entries
	Denied                         []string          `json:"BlackIPList"`
	DeniedGroups                   map[string]string `json:"BlackIPMap"`
	SecurityGroupID                string            `json:"SecurityGroupId"`
	UserDefinedSharedSecurityGroup string            `json:"UserDefinedSharedSecurityGroup"`
}

// DescribeSaslUsers returns the SASL users of an instance. The service
// answers their passwords, too; there is no field to hold them.
type DescribeSaslUsers struct {
	Returns[SaslUsers]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
}

// SaslUsers is the reply of DescribeSaslUsers.
type SaslUsers struct {
	Users []SaslUser `json:"SaslUserList"`
}

// SaslUser is a SASL user; Type is plain or scram.
type SaslUser struct {
	Username  string `json:"Username"`
	Type      string `json:"Type"`
	Mechanism string `json:"Mechanism"` // serverless only
}

// DescribeAcls returns the ACL entries of one user on one resource; there is
// no call that lists them all.
type DescribeAcls struct {
	Returns[ACLs]
	RegionID               string `q:"RegionId,required"`
	InstanceID             string `q:"InstanceId,required"`
	Username               string `q:"Username,required"`
	ACLResourceType        string `q:"AclResourceType,required,in=Topic|Group|Cluster|TransactionalId"`
	ACLResourceName        string `q:"AclResourceName,required"`
	ACLResourcePatternType string `q:"AclResourcePatternType,in=LITERAL|PREFIXED"`
	ACLOperationType       string `q:"AclOperationType"` // this and what follows: serverless only
	ACLPermissionType      string `q:"AclPermissionType,in=ALLOW|DENY"`
	Host                   string `q:"Host"`
}

// ACLs is the reply of DescribeAcls.
type ACLs struct {
	ACLs []ACL `json:"KafkaAclList"`
}

// ACL is one entry. Newer editions answer types in upper case.
type ACL struct {
	Username               string `json:"Username"`
	Host                   string `json:"Host"`
	ACLResourceType        string `json:"AclResourceType"`
	ACLResourceName        string `json:"AclResourceName"`
	ACLResourcePatternType string `json:"AclResourcePatternType"`
	ACLOperationType       string `json:"AclOperationType"`
	ACLPermissionType      string `json:"AclPermissionType"`
}

// UpdateAllowedIp adds entries to the IP whitelist of a port range, or deletes
// one. Without its last entry nobody can connect to that port.
type UpdateAllowedIp struct {
	Returns[Done]
	RegionID        string `q:"RegionId,required"`
	InstanceID      string `q:"InstanceId,required"`
	UpdateType      string `q:"UpdateType,required,in=add|delete"`
	AllowedListType string `q:"AllowedListType,required,in=vpc|internet"`
	// PortRange must fit AllowedListType: 9093 is the internet's.
	PortRange     string `q:"PortRange,required,in=9092/9092|9093/9093|9094/9094|9095/9095"`
	AllowedListIP string `q:"AllowedListIp,required"` // addresses or CIDR blocks, separated by commas
	Description   string `q:"Description"`
}

// CreateSaslUser makes a SASL user, or gives one that exists another password.
type CreateSaslUser struct {
	Returns[Done]
	RegionID   string        `q:"RegionId,required"`
	InstanceID string        `q:"InstanceId,required"`
	Username   string        `q:"Username,required"`
	Password   secret.String `q:"Password,required,secret"`
	Type       string        `q:"Type,in=plain|scram"`                      // plain by default
	Mechanism  string        `q:"Mechanism,in=SCRAM-SHA-256|SCRAM-SHA-512"` // serverless only
}

// DeleteSaslUser deletes a SASL user. Type is plain unless it is given.
type DeleteSaslUser struct {
	Returns[Done]
	RegionID   string `q:"RegionId,required"`
	InstanceID string `q:"InstanceId,required"`
	Username   string `q:"Username,required"`
	Type       string `q:"Type,in=plain|scram"`
	Mechanism  string `q:"Mechanism,in=SCRAM-SHA-256|SCRAM-SHA-512"`
}

// CreateAcl allows a user an operation on a resource; * stands for all users
// and all resources. Describe is for TransactionalId, IdempotentWrite for
// Cluster.
type CreateAcl struct {
	Returns[Done]
	RegionID               string `q:"RegionId,required"`
	InstanceID             string `q:"InstanceId,required"`
	Username               string `q:"Username,required"`
	ACLResourceType        string `q:"AclResourceType,required,in=Topic|Group|Cluster|TransactionalId"`
	ACLResourceName        string `q:"AclResourceName,required"`
	ACLResourcePatternType string `q:"AclResourcePatternType,required,in=LITERAL|PREFIXED"`
	ACLOperationType       string `q:"AclOperationType,required,in=Write|Read|Describe|IdempotentWrite"`
	ACLOperationTypes      string `q:"AclOperationTypes"` // several, separated by commas; this and what follows: serverless only
	ACLPermissionType      string `q:"AclPermissionType,in=ALLOW|DENY"`
	Host                   string `q:"Host"`
}

// DeleteAcl takes back what CreateAcl allowed. The documents let it name only
// topics and groups, and writing and reading; what else CreateAcl can create
// must be deletable, too.
type DeleteAcl struct {
	Returns[Done]
	RegionID               string `q:"RegionId,required"`
	InstanceID             string `q:"InstanceId,required"`
	Username               string `q:"Username,required"`
	ACLResourceType        string `q:"AclResourceType,required,in=Topic|Group|Cluster|TransactionalId"`
	ACLResourceName        string `q:"AclResourceName,required"`
	ACLResourcePatternType string `q:"AclResourcePatternType,required,in=LITERAL|PREFIXED"`
	ACLOperationType       string `q:"AclOperationType,required,in=Write|Read|Describe|IdempotentWrite"`
	ACLOperationTypes      string `q:"AclOperationTypes"`
	ACLPermissionType      string `q:"AclPermissionType,in=ALLOW|DENY"`
	Host                   string `q:"Host"`
}

// DescribeAclResourceName returns the names of the resources that have ACLs.
type DescribeAclResourceName struct {
	Returns[ACLResourceNames]
	RegionID               string `q:"RegionId,required"`
	InstanceID             string `q:"InstanceId,required"`
	ACLResourceType        string `q:"AclResourceType,required,in=Topic|Group|Cluster|TransactionalId"`
	ACLResourcePatternType string `q:"AclResourcePatternType,required,in=LITERAL|PREFIXED"`
}

// ACLResourceNames is the reply of DescribeAclResourceName.
type ACLResourceNames struct {
	Data struct {
		Names []string `json:"data"`
	} `json:"Data"`
}
