package sim

import (
	"net/http"
	"slices"
)

// maxTagged is how many resources a request may name.
const maxTagged = 50

// tagResources imitates TagResources: tags are added to all the resources
// that are named, or replace those of the same key.
func tagResources(c *Call, _ *reply) *refusal {
	a := c.args()
	tags := a.newTags()
	if len(tags) == 0 {
		a.fail(missing("Tag.1.Key"))
	}
	found := a.tagged()
	changed := make([][]Tag, len(found))
	for i, have := range found {
		changed[i] = slices.DeleteFunc(slices.Clone(*have), func(old Tag) bool {
			return slices.ContainsFunc(tags, func(t Tag) bool { return t.Key == old.Key })
		})
		if changed[i] = append(changed[i], tags...); len(changed[i]) > maxTags {
			a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_TAG_NUM_EXCEED", "The number of tags of the resource exceeds the limit. "+again))
		}
	}
	return c.retag(a, found, changed)
}

// untagResources imitates UntagResources: the keys that are named go, or with
// All and no key every tag. With neither nothing does.
func untagResources(c *Call, _ *reply) *refusal {
	a := c.args()
	keys := c.request.params.list("TagKey")
	all, _ := a.flag("All")
	if len(keys) > maxTags {
		a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_REQUEST_TAG_NUM_EXCEED", "The number of tags in the request exceeds the limit. "+again))
	}
	found := a.tagged()
	changed := make([][]Tag, len(found))
	for i, have := range found {
		changed[i] = slices.DeleteFunc(slices.Clone(*have), func(t Tag) bool {
			return slices.Contains(keys, t.Key) || all && len(keys) == 0
		})
	}
	return c.retag(a, found, changed)
}

func (c *Call) retag(a *args, found []*[]Tag, changed [][]Tag) *refusal {
	if a.no != nil {
		return a.no
	}
	c.apply(func() {
		for i, have := range found {
			*have = changed[i]
		}
	})
	return nil
}

// tagged returns the tags of the resources that the call names.
func (a *args) tagged() []*[]Tag {
	kind := a.taggedKind()
	ids := a.request.params.list("ResourceId")
	switch {
	case a.no != nil:
		return nil
	case len(ids) == 0:
		a.fail(missing("ResourceId.1"))
	case len(ids) > maxTagged:
		a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_REQUEST_RESOURCE_NUM_EXCEED", "The number of resources in the request exceeds the limit. "+again))
	}
	byID := make(map[string]*[]Tag)
	a.eachTagged(kind, func(id string, tags *[]Tag) { byID[id] = tags })
	var found []*[]Tag
	for _, id := range ids {
		tags := byID[id]
		if tags == nil {
			a.fail(refuse(http.StatusBadRequest, "BIZ_TAG_RESOURCE_NOT_EXIST", "The resource does not exist. "+again))
			continue
		}
		found = append(found, tags)
	}
	return found
}
