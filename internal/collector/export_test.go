package collector

import (
	"context"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// ObserveForTest makes the record of a poll as mergeProgress does.
func ObserveForTest(prev *GroupPartition, before api.Times, committed, newest, lastConsumed int64, at api.Times) GroupPartition {
	return observe(prev, pollOf(before), 0, committed, newest, lastConsumed, pollOf(at))
}

// MethodName is the value of the method label; "" for none.
func MethodName(m LagMethod) string {
	if int(m) < len(lagMethods) {
		return lagMethods[m]
	}
	return ""
}

// ReadProgressForTest reads the progress of a group of the only account and
// publishes it, as the loops of Run do.
func (c *Collector) ReadProgressForTest(ctx context.Context, region, instance, group string) error {
	a := c.accounts[0]
	err := readProgress(ctx, a, &object{source: a.sources[sourceProgress], region: region, instance: instance, name: group})
	a.publish()
	return err
}

// JudgeForTest reports whether a group is worth to be looked at; it replaces
// what the schedule learns.
type JudgeForTest func(instance, group string) bool

// SetJudgeForTest replaces what the schedule learns of groups, and of topics,
// of which all count as active. It is called before Run; nil changes nothing.
func (c *Collector) SetJudgeForTest(j JudgeForTest) {
	for _, a := range c.accounts {
		if j != nil {
			a.judge = func(o *object, _ urgency) urgency {
				if o.source.name == sourceProgress && !j(o.instance, o.name) {
					return urgencyIdle
				}
				return urgencyActive
			}
		}
	}
}
