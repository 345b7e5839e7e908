package sim

import (
	"net/http"
	"slices"
	"strings"
)

// maxAllowed is how many entries the whitelist of a port range may have.
const maxAllowed = 100

// updateAllowedIP imitates UpdateAllowedIp: entries are added, several at a
// time, or one is deleted. Without an entry nobody gets in.
func updateAllowedIP(c *Call, _ *reply) *refusal {
	in, no := c.serving()
	if no != nil {
		return no
	}
	a := c.args()
	add := a.choice("UpdateType", "add", "delete") == "add"
	internet := a.choice("AllowedListType", "vpc", "internet") == "internet"
	ports := a.text("PortRange")
	entries := strings.Split(a.text("AllowedListIp"), ",")
	switch {
	case a.no != nil:
		return a.no
	case internet != (ports == "9093/9093") || !slices.Contains(portRanges(), ports), !add && len(entries) > 1:
		return badWhitelist("WHITE.PARAM.ERROR")
	case internet && in.DeployType != 4:
		return refuse(http.StatusBadRequest, "BIZ.LIMIT.PUBNETWORK", "The instance has no public network. "+again)
	}
	before := in.allowed(internet, ports)
	after, no := change(before, entries, add)
	if no != nil {
		return no
	}
	c.apply(func() {
		in.allow(internet, ports, after)
		in.whitelisted(ports, before, after, c.since)
	})
	return nil
}

// portRanges are what whitelists are for: 9093 of the public network, the
// others of the VPC.
func portRanges() []string { return []string{"9092/9092", "9093/9093", "9094/9094", "9095/9095"} }

func badWhitelist(code string) *refusal {
	return refuse(http.StatusBadRequest, code, "The whitelist cannot be changed so. "+again)
}

// change returns a whitelist with entries added or deleted.
func change(before, entries []string, add bool) (after []string, no *refusal) {
	after = slices.Clone(before)
	for _, e := range entries {
		e = strings.TrimSpace(e)
		if _, err := parseEntry(e); err != nil {
			return nil, badWhitelist("WHITE.IP.ILLEGAL.ERROR")
		}
		i := slices.Index(after, e)
		switch {
		case add && i >= 0:
			return nil, badWhitelist("WHITE.IP.ALREADY.EXISTS.ERROR")
		case add:
			after = append(after, e)
		case i < 0:
			return nil, badWhitelist("WHITE.PARAM.ERROR")
		default:
			after = slices.Delete(after, i, i+1)
		}
	}
	if len(after) > maxAllowed {
		return nil, badWhitelist("WHITE.IPLIST.OVERLONG.ERROR")
	}
	return after, nil
}

// allowed returns the whitelist of a port range.
func (in *instance) allowed(internet bool, ports string) []string {
	for _, a := range in.Allowed {
		if a.Internet == internet && a.PortRange == ports {
			return a.IPs
		}
	}
	return nil
}

// allow replaces it. A port range stays listed when nobody is let in.
func (in *instance) allow(internet bool, ports string, entries []string) {
	in.Allowed = slices.Clone(in.Allowed)
	for i := range in.Allowed {
		if a := &in.Allowed[i]; a.Internet == internet && a.PortRange == ports {
			a.IPs = entries
			return
		}
	}
	in.Allowed = append(in.Allowed, AllowedIPs{Internet: internet, PortRange: ports, IPs: entries})
}
