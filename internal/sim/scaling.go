package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Rules of scheduled scaling.
const (
	shortestScaling = 15 * time.Minute
	scalingAhead    = 30 * time.Minute // of a rule for once
	scalingApart    = time.Hour
)

// elastic is serving for calls that serverless instances only understand.
func (c *Call) elastic() (*instance, *refusal) {
	in, no := c.serving()
	if no != nil {
		return nil, no
	}
	if in.PaidType != serverless {
		return nil, badPaidType()
	}
	return in, nil
}

func badRule(code string) *refusal {
	return refuse(http.StatusBadRequest, code, "The scheduled scaling rule is not allowed. "+again)
}

// getAutoScalingConfiguration imitates GetAutoScalingConfiguration.
func getAutoScalingConfiguration(c *Call, w *reply) *refusal {
	in, no := c.elastic()
	if no != nil {
		return no
	}
	const estimate = 780 // seconds, as the sample shows
	w.object("Data", func() {
		w.list("ScheduledScalingRules", "ScheduledScalingRules", len(in.Rules), func(i int) {
			r := in.Rules[i]
			w.num("RuleId", r.ID)
			w.text("RuleName", r.Name)
			w.text("ScheduleType", r.Schedule)
			w.text("RepeatType", r.Repeat)
			w.texts("WeeklyTypes", "WeeklyTypes", r.Days)
			w.num("FirstScheduledTime", r.First.UnixMilli())
			w.text("TimeZone", r.Zone)
			w.num("DurationMinutes", int64(r.Lasts/time.Minute))
			w.num("ReservedPubFlow", r.ReservedPublish)
			w.num("ReservedSubFlow", r.ReservedSubscribe)
			w.num("EstimatedElasticScalingUpTimeSecs", estimate)
			w.num("EstimatedElasticScalingDownTimeSecs", estimate)
			w.flag("Enable", r.Enabled)
		})
	})
	return nil
}

// createScheduledScalingRule imitates CreateScheduledScalingRule.
func createScheduledScalingRule(c *Call, _ *reply) *refusal {
	in, no := c.elastic()
	if no != nil {
		return no
	}
	r, no := c.scalingRule()
	if no != nil {
		return no
	}
	for _, have := range in.Rules {
		r.ID = max(r.ID, have.ID)
		apart := r.First.Sub(have.First)
		switch {
		case have.Name == r.Name:
			return badRule("ServerlessPlan.NameExist")
		case have.Schedule == "at" && r.Schedule == "at" && max(apart, -apart) < scalingApart:
			return badRule("ServerlessPlan.IntervalInvalid")
		}
	}
	r.ID++
	c.apply(func() { in.Rules = append(slices.Clone(in.Rules), r) })
	return nil
}

// scalingRule returns the rule that the call describes.
func (c *Call) scalingRule() (ScalingRule, *refusal) {
	a := c.args()
	r := ScalingRule{
		Name: a.text("RuleName"), Zone: a.text("TimeZone"),
		Schedule:          a.choice("ScheduleType", "", "at", "repeat"),
		Repeat:            a.choice("RepeatType", "", "Daily", "Weekly"),
		First:             c.cloud.start.Add(a.millisTime("FirstScheduledTime")),
		Lasts:             time.Duration(a.integer("DurationMinutes", 1, 1<<20, 0)) * time.Minute,
		ReservedPublish:   a.integer("ReservedPubFlow", 1, 1<<20, 0),
		ReservedSubscribe: a.integer("ReservedSubFlow", 1, 1<<20, 0),
		Enabled:           true,
	}
	if enable, given := a.flag("Enable"); given {
		r.Enabled = enable
	}
	if days := c.Param("WeeklyTypes"); days != "" {
		if err := json.Unmarshal([]byte(days), &r.Days); err != nil {
			a.fail(invalid("WeeklyTypes"))
		}
	}
	now := c.cloud.start.Add(c.since)
	switch {
	case !strings.HasPrefix(r.Zone, "GMT"):
		a.fail(invalid("TimeZone"))
	case r.Schedule == "repeat" && r.Repeat == "":
		a.fail(missing("RepeatType"))
	case r.Repeat == "Weekly" && len(r.Days) == 0:
		a.fail(missing("WeeklyTypes"))
	case r.Lasts < shortestScaling, r.Schedule == "at" && r.First.Before(now.Add(scalingAhead)):
		a.fail(badRule("ServerlessPlan.IntervalInvalid"))
	}
	return r, a.no
}

// rule returns the instance and where in its list the rule is that a call
// changes.
func (c *Call) rule() (in *instance, at int, no *refusal) {
	if in, no = c.elastic(); no != nil {
		return nil, 0, no
	}
	name := c.Param("RuleName")
	at = slices.IndexFunc(in.Rules, func(r ScalingRule) bool { return r.Name == name })
	if at < 0 {
		return nil, 0, refuse(http.StatusNotFound, "InvalidParameter.DataNotFound", "The scheduled scaling rule does not exist. "+again)
	}
	return in, at, nil
}

// modifyScheduledScalingRule imitates ModifyScheduledScalingRule, which turns
// a rule on or off.
func modifyScheduledScalingRule(c *Call, _ *reply) *refusal {
	in, at, no := c.rule()
	if no != nil {
		return no
	}
	a := c.args()
	enable, _ := a.flag("Enable")
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		in.Rules = slices.Clone(in.Rules)
		in.Rules[at].Enabled = enable
	})
	return nil
}

// deleteScheduledScalingRule imitates DeleteScheduledScalingRule. A rule that
// is on and not over stays.
func deleteScheduledScalingRule(c *Call, _ *reply) *refusal {
	in, at, no := c.rule()
	if no != nil {
		return no
	}
	r := in.Rules[at]
	over := r.Schedule == "at" && r.First.Add(r.Lasts).Before(c.cloud.start.Add(c.since))
	if r.Enabled && !over {
		return badRule("ServerlessPlan.NotSupport.StatusEnabled")
	}
	c.apply(func() { in.Rules = slices.Delete(slices.Clone(in.Rules), at, at+1) })
	return nil
}
