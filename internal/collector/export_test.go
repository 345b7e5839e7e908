package collector

import (
	"context"
	"time"
)

// ObserveForTest makes the record of a poll as mergeProgress does.
func ObserveForTest(prev *GroupPartition, committed, newest, lastConsumed int64, at time.Time) GroupPartition {
	return observe(prev, 0, committed, newest, lastConsumed, at)
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
