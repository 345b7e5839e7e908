package collector

import "time"

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
