package sim

import "strings"

// describeSaslUsers imitates DescribeSaslUsers. Like the service it answers
// passwords, so that clients can prove that they drop them.
func describeSaslUsers(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	w.list("SaslUserList", "SaslUserVO", len(in.SaslUsers), func(i int) {
		u := in.SaslUsers[i]
		w.text("Username", u.Username)
		w.text("Password", u.Password)
		w.text("Type", u.Type)
		if u.Mechanism != "" && c.cloud.opts.Edition == EditionCurrent {
			w.text("Mechanism", u.Mechanism)
		}
	})
	return nil
}

// describeACLs imitates DescribeAcls: the entries of one user on one
// resource. A topic or group that does not exist is an error, a user without
// entries is not.
func describeACLs(c *Call, w *reply) *refusal {
	in, no := c.running()
	if no != nil {
		return no
	}
	kind, name, pattern := plainKind(c.Param("AclResourceType")), c.Param("AclResourceName"), c.Param("AclResourcePatternType")
	if !strings.EqualFold(pattern, "PREFIXED") && name != "*" {
		switch {
		case kind == "topic" && in.byTopic[name] == nil:
			return noTopic()
		case kind == "group" && in.byGroup[name] == nil:
			return noGroup()
		}
	}
	var found []ACL
	for _, a := range in.ACLs {
		if a.Username == c.Param("Username") && plainKind(a.ResourceType) == kind && a.ResourceName == name &&
			(pattern == "" || strings.EqualFold(pattern, a.Pattern)) {
			found = append(found, a)
		}
	}
	w.list("KafkaAclList", "KafkaAclVO", len(found), func(i int) {
		a := found[i]
		w.text("Username", a.Username)
		w.text("AclResourceType", a.ResourceType)
		w.text("AclResourceName", a.ResourceName)
		w.text("AclResourcePatternType", a.Pattern)
		w.text("AclOperationType", a.Operation)
		w.text("Host", a.Host)
		if c.cloud.opts.Edition == EditionCurrent {
			w.text("AclPermissionType", a.Permission)
		}
	})
	return nil
}

// plainKind folds Topic, TOPIC and TRANSACTIONAL_ID to one spelling.
func plainKind(kind string) string {
	return strings.ToLower(strings.ReplaceAll(kind, "_", ""))
}
