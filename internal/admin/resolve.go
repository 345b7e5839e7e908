package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/collector"
)

// resolved is what a runbook would ask for on account of an alert.
type resolved struct {
	Account    string
	RegionID   string
	InstanceID string
	Params     map[string]string
	// Key is the target: what labels and constants gave, but not what was
	// computed. It is the same for as long as the alert is.
	Key string
}

// unresolvedError is an alert from which no request can be made. Absent: what
// it names is not in the inventory, now.
type unresolvedError struct {
	Param  string
	Reason string
	Absent bool
}

func (e *unresolvedError) Error() string { return e.Param + ": " + e.Reason }

// maxLabelValue bounds a label's value that becomes a parameter, in bytes.
const maxLabelValue = 256

// resolve takes the parameters of a runbook from labels and inventory. The
// error is an *unresolvedError.
func (r Runbook) resolve(labels map[string]string, inventory *collector.Snapshot) (resolved, error) {
	res := resolved{Params: map[string]string{}}
	var in *collector.Instance
	names := slices.Sorted(maps.Keys(r.Params))
	for _, name := range names {
		p := r.Params[name]
		value := p.Value
		if p.Label != "" {
			var err error
			if value, err = p.take(name, labels); err != nil {
				return resolved{}, err
			}
		}
		res.Params[name] = value
		if p.Type == typeInstance {
			if in = find(inventory, value); in == nil {
				return resolved{}, &unresolvedError{name, "no watched instance of that id", true}
			}
		}
	}
	if in == nil {
		return resolved{}, &unresolvedError{"InstanceId", "no parameter is of type instance", false}
	}
	for label, ours := range map[string]string{"account": in.Account, "region_id": in.RegionID} {
		if theirs, ok := labels[label]; ok && theirs != ours {
			return resolved{}, &unresolvedError{label, "is not that of the instance", false}
		}
	}
	res.Account, res.RegionID, res.InstanceID = in.Account, in.RegionID, in.ID
	for _, name := range names {
		if err := r.Params[name].exists(name, res.Params[name], in); err != nil {
			return resolved{}, err
		}
	}
	res.Key = r.key(res)
	for _, name := range names {
		if p := r.Params[name]; p.Times != 0 {
			value, err := p.compute(name, res.Params["Topic"], in)
			if err != nil {
				return resolved{}, err
			}
			res.Params[name] = value
		}
	}
	return res, nil
}

// take returns the value of the parameter's label.
func (p Param) take(name string, labels map[string]string) (string, error) {
	value, ok := labels[p.Label]
	switch {
	case !ok || value == "":
		return "", &unresolvedError{name, "the alert has no label " + p.Label, false}
	case len(value) > maxLabelValue:
		return "", &unresolvedError{name, fmt.Sprintf("label %s has more than %d bytes", p.Label, maxLabelValue), false}
	case !p.Pattern.IsZero() && !p.Pattern.Match(value):
		return "", &unresolvedError{name, fmt.Sprintf("label %s does not match %s", p.Label, p.Pattern), false}
	case len(p.OneOf) > 0 && !slices.Contains(p.OneOf, value):
		return "", &unresolvedError{name, fmt.Sprintf("label %s is none of those allowed", p.Label), false}
	}
	return value, nil
}

// exists holds a label's value to the inventory.
func (p Param) exists(name, value string, in *collector.Instance) error {
	topic, group := topicOf(in, value) != nil, hasGroup(in, value)
	switch {
	case p.Type == typeTopic && !topic:
		return &unresolvedError{name, "the instance has no such topic", true}
	case p.Type == typeGroup && !group:
		return &unresolvedError{name, "the instance has no such consumer group", true}
	case p.Type == typeNewTopic && (topic || in.TopicList.At.IsZero()):
		return &unresolvedError{name, "the instance has the topic already, or its topics are not known", in.TopicList.At.IsZero()}
	case p.Type == typeNewGroup && (group || in.GroupList.At.IsZero()):
		return &unresolvedError{name, "the instance has the consumer group already, or its groups are not known", in.GroupList.At.IsZero()}
	}
	return nil
}

// compute returns the topic's number of partitions times so much.
func (p Param) compute(name, topic string, in *collector.Instance) (string, error) {
	t := topicOf(in, topic)
	if t == nil || t.Info.Data.PartitionNum < 1 {
		return "", &unresolvedError{name, "the topic's partitions are not known", true}
	}
	now := t.Info.Data.PartitionNum
	target := min(int64(math.Ceil(float64(now)*p.Times)), int64(p.Max))
	if target <= now {
		return "", &unresolvedError{name, fmt.Sprintf("the topic has %d partitions, and may have %d at most", now, p.Max), false}
	}
	return strconv.FormatInt(target, 10), nil
}

// key names the target of a resolved runbook.
func (r Runbook) key(res resolved) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		if r.Params[name].Label != "" || r.Params[name].Type == typeInstance {
			parts = append(parts, name+"="+res.Params[name])
		}
	}
	return strings.Join(append([]string{r.Name, res.Account}, parts...), "\x00")
}

func find(s *collector.Snapshot, id string) *collector.Instance {
	for _, in := range s.Instances {
		if in.ID == id {
			return in
		}
	}
	return nil
}

func topicOf(in *collector.Instance, name string) *collector.Topic {
	for _, t := range in.Topics {
		if t.Name() == name {
			return t
		}
	}
	return nil
}

func hasGroup(in *collector.Instance, name string) bool {
	return slices.ContainsFunc(in.Groups, func(g *collector.ConsumerGroup) bool { return g.Name() == name })
}

// message is what Alertmanager posts, version 4. What else it holds is not
// looked at: annotations decide nothing.
type message struct {
	Version   string         `json:"version"`
	GroupKey  string         `json:"groupKey"`
	Receiver  string         `json:"receiver"`
	Truncated uint64         `json:"truncatedAlerts"`
	Alerts    []messageAlert `json:"alerts"`
}

type messageAlert struct {
	Status   string            `json:"status"`
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	EndsAt   time.Time         `json:"endsAt"`
}

const (
	maxAlerts = 10_000
	maxLabels = 128
	// maxLabelBytes bounds the labels of an alert together: an episode keeps
	// them.
	maxLabelBytes = 32 << 10
)

// parseMessage reads the body of a webhook, which readJSON has judged.
func parseMessage(data []byte) (message, error) {
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		return message{}, refuse(badRequest, "body: not a webhook of Alertmanager")
	}
	if m.Version != "4" {
		return message{}, refuse(badRequest, "body: version must be \"4\"")
	}
	if len(m.Alerts) > maxAlerts {
		return message{}, refuse(badRequest, fmt.Sprintf("body: more than %d alerts", maxAlerts))
	}
	for i, a := range m.Alerts {
		switch {
		case a.Status != "firing" && a.Status != "resolved":
			return message{}, refuse(badRequest, fmt.Sprintf("body: alerts[%d].status is neither firing nor resolved", i))
		case len(a.Labels) == 0 || len(a.Labels) > maxLabels:
			return message{}, refuse(badRequest, fmt.Sprintf("body: alerts[%d].labels has not 1 to %d labels", i, maxLabels))
		}
		size := 0
		for name, value := range a.Labels {
			size += len(name) + len(value)
		}
		if size > maxLabelBytes {
			return message{}, refuse(badRequest, fmt.Sprintf("body: alerts[%d].labels has more than %d bytes", i, maxLabelBytes))
		}
	}
	return m, nil
}

// fingerprint identifies an alert by its labels. It is made here: what a sender
// says of itself decides nothing.
func (a messageAlert) fingerprint() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		_, _ = fmt.Fprintf(h, "%q=%q\n", name, a.Labels[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
