package sim

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// tagEntry is one tag of one resource.
type tagEntry struct {
	resource string
	tag      Tag
}

// listTagResources imitates ListTagResources: the tags of one kind of
// resource, asked for by id or by tag, in pages with an opaque token. The
// answer has neither Code nor Success and names the kind in another
// vocabulary than the request.
func listTagResources(c *Call, w *reply) *refusal {
	a := c.args()
	kind := a.taggedKind()
	if a.no != nil {
		return a.no
	}
	ids, tags := c.request.params.list("ResourceId"), c.tags()
	if len(ids) == 0 && len(tags) == 0 {
		return missing("ResourceId.1")
	}
	var found []tagEntry
	c.eachTagged(kind, func(id string, have *[]Tag) {
		if len(ids) > 0 && !slices.Contains(ids, id) || !tagged(*have, tags) {
			return
		}
		for _, tag := range *have {
			found = append(found, tagEntry{id, tag})
		}
	})
	from, no := c.resume(len(found))
	if no != nil {
		return no
	}
	to := min(len(found), from+c.cloud.opts.TagPage)
	next := ""
	if to < len(found) {
		next = c.token(to)
	}
	w.text("NextToken", next)
	w.list("TagResources", "TagResource", to-from, func(i int) {
		e := found[from+i]
		w.text("ResourceId", e.resource)
		w.text("ResourceType", "ALIYUN::ALIKAFKA::"+kind)
		w.text("TagKey", e.tag.Key)
		w.text("TagValue", e.tag.Value)
	})
	return nil
}

// taggedKind returns the kind of resource that the call names.
func (a *args) taggedKind() string {
	return a.choice("ResourceType", "", "INSTANCE", "TOPIC", "CONSUMERGROUP")
}

// eachTagged calls f for every resource of a kind in the called region, with
// its resource id and its tags.
func (c *Call) eachTagged(kind string, f func(id string, tags *[]Tag)) {
	for _, in := range c.instances() {
		if !c.sees(in.RegionID) {
			continue
		}
		switch kind {
		case "INSTANCE":
			f(in.ID, &in.Tags)
		case "TOPIC":
			for _, t := range in.topics {
				f("Kafka_"+in.ID+"_"+t.Name, &t.Tags)
			}
		case "CONSUMERGROUP":
			for _, g := range in.groups {
				f("Kafka_"+in.ID+"_"+g.Name, &g.Tags)
			}
		}
	}
}

// token hides a position; resume finds it again and refuses what this cloud
// did not hand out.
func (c *Call) token(at int) string {
	var raw [16]byte
	secret := mix(c.cloud.opts.Seed)
	binary.BigEndian.PutUint64(raw[:8], uint64(at)^secret)
	binary.BigEndian.PutUint64(raw[8:], mix(uint64(at)+secret))
	return hex.EncodeToString(raw[:])
}

func (c *Call) resume(n int) (int, *refusal) {
	token := c.Param("NextToken")
	if token == "" {
		return 0, nil
	}
	if raw, err := hex.DecodeString(token); err == nil && len(raw) == 16 {
		at := int(binary.BigEndian.Uint64(raw[:8]) ^ mix(c.cloud.opts.Seed))
		if at >= 0 && at <= n && c.token(at) == token {
			return at, nil
		}
	}
	return 0, invalid("NextToken")
}
