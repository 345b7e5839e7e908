package sim

import (
	"net/http"
	"slices"
	"strings"
)

// maxSaslUsers is how many SASL users an instance may have.
const maxSaslUsers = 100

// saslUser returns the user that the call describes, and where in the list of
// the instance it is, -1 for a new one. Users are told apart by name, type and
// mechanism; only serverless instances have mechanisms.
func (a *args) saslUser(in *instance) (u SaslUser, at int) {
	u = SaslUser{Username: a.text("Username"), Type: a.choice("Type", "plain", "scram")}
	if in.PaidType == serverless && u.Type == "scram" {
		u.Mechanism = a.choice("Mechanism", "SCRAM-SHA-512", "SCRAM-SHA-256")
	}
	return u, slices.IndexFunc(in.SaslUsers, func(have SaslUser) bool {
		return have.Username == u.Username && have.Type == u.Type && (u.Mechanism == "" || have.Mechanism == u.Mechanism)
	})
}

// createSaslUser imitates CreateSaslUser. A user that exists gets the new
// password.
func createSaslUser(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	u, at := a.saslUser(in)
	u.Password = a.text("Password")
	if at < 0 && len(in.SaslUsers) >= maxSaslUsers {
		a.fail(refuse(http.StatusBadRequest, "BIZ_SASL_USER_NUM_EXCEED", "The number of SASL users exceeds the limit. "+again))
	}
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		in.SaslUsers = slices.Clone(in.SaslUsers)
		if at < 0 {
			in.SaslUsers = append(in.SaslUsers, u)
		} else {
			in.SaslUsers[at] = u
		}
	})
	return nil
}

// deleteSaslUser imitates DeleteSaslUser. Without Type it means plain users.
func deleteSaslUser(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	_, at := a.saslUser(in)
	if at < 0 {
		a.fail(noSaslUser())
	}
	if a.no != nil {
		return a.no
	}
	c.apply(func() { in.SaslUsers = slices.Delete(slices.Clone(in.SaslUsers), at, at+1) })
	return nil
}

func noSaslUser() *refusal {
	return refuse(http.StatusBadRequest, "BIZ_SASL_USER_NOT_EXIST", "The SASL user does not exist. "+again)
}

// createACL imitates CreateAcl. The entries are a set: one that is there stays
// alone.
func createACL(c *Call, _ *reply) *refusal {
	in, entries, no := c.acls()
	if no != nil {
		return no
	}
	if user := c.Param("Username"); user != "*" && !slices.ContainsFunc(in.SaslUsers, func(u SaslUser) bool { return u.Username == user }) {
		return noSaslUser()
	}
	c.apply(func() {
		in.ACLs = slices.DeleteFunc(slices.Clone(in.ACLs), func(have ACL) bool { return containsACL(entries, have) })
		in.ACLs = append(in.ACLs, entries...)
	})
	return nil
}

// deleteACL imitates DeleteAcl. An entry that is not there is no error.
func deleteACL(c *Call, _ *reply) *refusal {
	in, entries, no := c.acls()
	if no != nil {
		return no
	}
	c.apply(func() {
		in.ACLs = slices.DeleteFunc(slices.Clone(in.ACLs), func(have ACL) bool { return containsACL(entries, have) })
	})
	return nil
}

// acls returns the entries that the call describes: one, or on serverless
// instances one for each of AclOperationTypes.
func (c *Call) acls() (*instance, []ACL, *refusal) {
	in, no := c.serving()
	if no != nil {
		return nil, nil, no
	}
	if in.Config[keyACL] != "true" {
		return nil, nil, refuse(http.StatusBadRequest, "BIZ_ACL_NOT_ENABLED", "ACL is not enabled for the instance. "+again)
	}
	a := c.args()
	entry := ACL{
		Username: a.text("Username"), ResourceName: a.text("AclResourceName"),
		ResourceType: a.choice("AclResourceType", "", "Topic", "Group", "Cluster", "TransactionalId"),
		Pattern:      a.choice("AclResourcePatternType", "LITERAL", "PREFIXED"),
		Operation:    a.choice("AclOperationType", "", "Write", "Read", "Describe", "IdempotentWrite"),
		Host:         "*", Permission: "ALLOW",
	}
	entries := []ACL{entry}
	if in.PaidType == serverless {
		entries = a.serverlessACLs(entry)
	}
	if entry.Pattern == "LITERAL" && entry.ResourceName != "*" {
		switch {
		case entry.ResourceType == "Topic" && in.byTopic[entry.ResourceName] == nil:
			a.fail(noTopic())
		case entry.ResourceType == "Group" && in.byGroup[entry.ResourceName] == nil:
			a.fail(noGroup())
		}
	}
	return in, entries, a.no
}

// serverlessACLs reads what only serverless instances know of ACLs.
func (a *args) serverlessACLs(entry ACL) []ACL {
	if host := a.Param("Host"); host != "" {
		entry.Host = host
	}
	entry.Permission = a.choice("AclPermissionType", "ALLOW", "DENY")
	batch := a.Param("AclOperationTypes")
	if batch == "" {
		return []ACL{entry}
	}
	var entries []ACL
	for operation := range strings.SplitSeq(batch, ",") {
		entry.Operation = strings.TrimSpace(operation)
		entries = append(entries, entry)
	}
	return entries
}

// containsACL reports whether a list holds an entry, however it is spelled.
func containsACL(list []ACL, entry ACL) bool {
	return slices.ContainsFunc(list, func(a ACL) bool { return plainACL(a) == plainACL(entry) })
}

func plainACL(a ACL) ACL {
	a.ResourceType, a.Operation = plainKind(a.ResourceType), plainKind(a.Operation)
	return a
}

// describeACLResourceName imitates DescribeAclResourceName: the names of the
// resources that have entries.
func describeACLResourceName(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	a := c.args()
	kind := a.choice("AclResourceType", "", "Topic", "Group", "Cluster", "TransactionalId")
	pattern := a.choice("AclResourcePatternType", "LITERAL", "PREFIXED")
	if a.no != nil {
		return a.no
	}
	var names []string
	for _, entry := range in.ACLs {
		if plainKind(entry.ResourceType) == plainKind(kind) && entry.Pattern == pattern {
			names = append(names, entry.ResourceName)
		}
	}
	slices.Sort(names)
	w.object("Data", func() { w.texts("data", "", slices.Compact(names)) })
	return nil
}
