package collector

import (
	"context"
	"errors"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// source is a kind of object that is read with one action.
type source struct {
	name     string // value of the source label and key in the configuration
	action   string
	interval time.Duration // default cadence
	ttl      time.Duration // default life of what cannot be read
	timeout  time.Duration // of one read, retries and pages included
	read     func(context.Context, *account, *object) error
}

const (
	readTimeout = 2 * time.Minute
	listTimeout = 10 * time.Minute
)

// Names of the sources, as users see them.
const (
	sourceRegions     = "regions"
	sourceInstances   = "instances"
	sourceQuota       = "quota"
	sourceAllowedIPs  = "allowed_ips"
	sourceTopics      = "topics"
	sourceTopicStatus = "topic_status"
	sourceGroups      = "consumer_groups"
	sourceProgress    = "consumer_group_progress"
)

// sources is the table of sources. Newest offsets of consumed topics come with
// the progress of their groups, so topic_status is for topics nobody consumes
// and, at a slower pace, for oldest offsets.
func sources() []*source {
	return []*source{
		{sourceRegions, "GetAllInstanceIdList", time.Hour, 24 * time.Hour, readTimeout, readRegions},
		{sourceInstances, "GetInstanceList", time.Minute, 15 * time.Minute, readTimeout, readInstances},
		{sourceQuota, "GetQuotaTip", 10 * time.Minute, time.Hour, readTimeout, readQuota},
		{sourceAllowedIPs, "GetAllowedIpList", 5 * time.Minute, time.Hour, readTimeout, readAllowedIPs},
		{sourceTopics, "GetTopicList", 2 * time.Minute, 15 * time.Minute, listTimeout, readTopics},
		{sourceTopicStatus, "GetTopicStatus", time.Minute, time.Hour, readTimeout, readTopicStatus},
		{sourceGroups, "GetConsumerList", 2 * time.Minute, 15 * time.Minute, listTimeout, readGroups},
		{sourceProgress, "GetConsumerProgress", 30 * time.Second, 30 * time.Minute, readTimeout, readProgress},
	}
}

// Actions returns the actions with which an account is polled.
func Actions(a AccountConfig) []string {
	var actions []string
	for _, s := range sources() {
		if s.name == sourceRegions && len(a.Regions) > 0 {
			continue // nothing is left to discover
		}
		actions = append(actions, s.action)
	}
	return actions
}

// ActionOf returns the action that a source is read with.
func ActionOf(source string) string {
	for _, s := range sources() {
		if s.name == source {
			return s.action
		}
	}
	return ""
}

// consumedFactor slows topic_status down for topics whose log ends come with
// the progress of a group, though not beyond half of the TTL.
const consumedFactor = 5

func readRegions(ctx context.Context, a *account, _ *object) error {
	r, err := api.Call(ctx, a.Client, api.GetAllInstanceIdList{RegionID: a.DiscoveryRegion})
	if err != nil {
		return err
	}
	a.mergeRegions(r.ByRegion)
	return nil
}

func readInstances(ctx context.Context, a *account, o *object) error {
	r, err := api.Call(ctx, a.Client, api.GetInstanceList{RegionID: o.region})
	if err == nil {
		a.mergeInstances(o, r.Instances)
	}
	return err
}

func readQuota(ctx context.Context, a *account, o *object) error {
	r, err := api.Call(ctx, a.Client, api.GetQuotaTip{RegionID: o.region, InstanceID: o.instance})
	if err == nil {
		a.update(o, func(i *Instance, at time.Time) { i.Quota = Section[api.Quota]{r, at} })
	}
	return err
}

func readAllowedIPs(ctx context.Context, a *account, o *object) error {
	r, err := api.Call(ctx, a.Client, api.GetAllowedIpList{RegionID: o.region, InstanceID: o.instance})
	if err == nil {
		a.update(o, func(i *Instance, at time.Time) { i.AllowedIPs = Section[api.AllowedIPs]{r, at} })
	}
	return err
}

func readTopics(ctx context.Context, a *account, o *object) error {
	topics, err := api.ListTopics(ctx, a.Client, api.GetTopicList{RegionID: o.region, InstanceID: o.instance})
	if err == nil {
		a.mergeTopics(o, topics)
	}
	return err
}

func readTopicStatus(ctx context.Context, a *account, o *object) error {
	var times api.Times
	r, err := api.Call(api.WithTimes(ctx, &times), a.Client, api.GetTopicStatus{RegionID: o.region, InstanceID: o.instance, Topic: o.name})
	if err == nil {
		a.mergeTopicStatus(o, r, times)
	}
	return err
}

func readGroups(ctx context.Context, a *account, o *object) error {
	groups, err := api.ListConsumerGroups(ctx, a.Client, api.GetConsumerList{RegionID: o.region, InstanceID: o.instance})
	if err == nil {
		a.mergeGroups(o, groups)
	}
	return err
}

func readProgress(ctx context.Context, a *account, o *object) error {
	var times api.Times
	r, err := api.Call(api.WithTimes(ctx, &times), a.Client, api.GetConsumerProgress{
		RegionID: o.region, InstanceID: o.instance, ConsumerID: o.name, HideLastTimestamp: a.config.HideLastTimestamp,
	})
	var e *api.Error
	if errors.As(err, &e) && e.Code == codeNeverRunning {
		err = nil // an answer: the group exists and has committed nothing
		times = api.Times{Sent: time.Now(), Answered: time.Now()}
	}
	if err == nil {
		a.mergeProgress(o, r, times)
	}
	return err
}

// codeNeverRunning is answered for a group that was created but never used.
const codeNeverRunning = "BIZ_CONSUMER_NEVER_RUNNING"
