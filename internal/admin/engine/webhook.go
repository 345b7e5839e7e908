package engine

import (
	"encoding/json"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// webhookActions is the table of what a webhook may start, and with which
// parameters, whatever its principal and its runbook hold. Guards judge the
// plan besides.
var webhookActions = []struct {
	action string
	// check says what is wrong with parameters that are known before anything
	// is read: the one, and why. Nil: nothing.
	check func(params map[string]string) (param, reason string)
}{
	{"ModifyPartitionNum", func(p map[string]string) (string, string) {
		if _, given := p[addPartitions]; given {
			return addPartitions, "is an increment: a webhook gives " + TargetPartitions
		}
		return "", ""
	}},
	{"UpdateAllowedIp", func(p map[string]string) (string, string) {
		if p["UpdateType"] != "add" {
			return "UpdateType", "must be the constant add: a webhook takes nothing from a whitelist"
		}
		return "", ""
	}},
	{"UpdateInstanceConfig", func(p map[string]string) (string, string) {
		var asked map[string]string
		if json.Unmarshal([]byte(p["Config"]), &asked) != nil || len(asked) != 1 || asked[retentionKey] == "" {
			return "Config", "must be a constant that sets " + retentionKey + " alone: a webhook may raise the retention and nothing else"
		}
		return "", ""
	}},
	{"TagResources", nil},
	{"UntagResources", nil},
	{"ModifyTopicRemark", nil},
	{"CreateTopic", nil},
	{"CreateConsumerGroup", nil},
}

// WebhookActions returns the names of the actions that a webhook may start.
func WebhookActions() []string {
	names := make([]string, len(webhookActions))
	for i, row := range webhookActions {
		names[i] = row.action
	}
	return names
}

// WebhookRefusal says why a webhook may not start an action with these
// parameters; nil: it may, as far as they alone tell.
func WebhookRefusal(action string, params map[string]string) *api.ParamError {
	for _, row := range webhookActions {
		if row.action != action {
			continue
		}
		if row.check == nil {
			return nil
		}
		if param, reason := row.check(params); param != "" {
			return &api.ParamError{Action: action, Param: param, Reason: reason}
		}
		return nil
	}
	return &api.ParamError{Action: action, Param: "action", Reason: "is none that a webhook may start"}
}
