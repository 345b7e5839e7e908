package api

import "sync"

// actions is the table: every call that the exporter knows, once. From a row
// derive parameter encoding and validation, redaction, the retry class, the
// limiter's bucket, the metric label, the simulator's checks and the minimal
// RAM policy.
var actions = []*Action{
	act[GetInstanceList](Read, "alikafka:ListInstance"),
	act[GetAllInstanceIdList](Read, "alikafka:ListInstance"),
	act[GetAllowedIpList](Read, "alikafka:ListInstance"),
	act[GetQuotaTip](Read, "alikafka:ListInstance"),
	act[GetTopicList](Read, "alikafka:ListTopic"),
	act[GetTopicStatus](Read, "alikafka:ListTopic"),
	act[GetConsumerList](Read, "alikafka:ListGroup"),
	act[GetConsumerProgress](Read, "alikafka:ListGroup"),
	act[ListTagResources](Read, "alikafka:ListTagResources"),
	act[DescribeSaslUsers](Read, "alikafka:DescribeSaslUsers"),
	act[DescribeAcls](Read, "alikafka:DescribeAcls"),
}

var byName = sync.OnceValue(func() map[string]*Action {
	m := make(map[string]*Action, len(actions))
	for _, a := range actions {
		if m[a.Name] != nil {
			panic("api: action listed twice: " + a.Name)
		}
		m[a.Name] = a
	}
	return m
})

// Actions returns the rows of the table in its order. Callers must not change
// them.
func Actions() []*Action { return actions }

// Lookup returns the row of the action of that name.
func Lookup(name string) (*Action, bool) {
	a, ok := byName()[name]
	return a, ok
}
