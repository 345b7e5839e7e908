package conformance_test

import (
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/alikafka"

	"github.com/alikafka-exporter/alikafka-exporter/internal/sim"
)

// TestGoSDK drives the simulated cloud with the older official SDK: in both
// formats, by GET and by POST, with a lasting key and with a temporary one.
func TestGoSDK(t *testing.T) {
	r := newReport("go")
	defer r.print()
	for _, run := range []struct {
		name, method, format string
		temporary            bool
	}{
		{"JSON by POST", "POST", "JSON", false},
		{"JSON by GET", "GET", "JSON", false},
		{"XML by POST", "POST", "XML", false},
		{"XML by GET", "GET", "XML", false},
		{"JSON by POST with a security token", "POST", "JSON", true},
	} {
		t.Run(run.name, func(t *testing.T) {
			before := time.Now()
			cloud := serve(t, options())
			after := time.Now()
			client, err := alikafka.NewClientWithAccessKey(region, key.ID, key.Secret)
			if run.temporary {
				client, err = alikafka.NewClientWithStsToken(region, temporary.ID, temporary.Secret, temporary.Token)
			}
			if err != nil {
				t.Fatal(err)
			}
			s := newSession(t, r, cloud, newGoSDK(client, cloud.address, run.method, run.format))
			if run.format == "XML" {
				// encoding/xml cannot fill the map that the SDK declares.
				s.impossible = map[string]string{"GetAllInstanceIdList": "unknown type map[string]interface {}"}
			}
			s.run(before, after)
		})
	}
	r.golden(t)
}

// TestNodeSDK drives it with the current official SDK, which signs by
// ACS3-HMAC-SHA256 in headers and has answers in JSON only.
func TestNodeSDK(t *testing.T) {
	install(t)
	r := newReport("node")
	defer r.print()
	for name, key := range map[string]sim.Key{"lasting key": key, "security token": temporary} {
		t.Run(name, func(t *testing.T) {
			before := time.Now()
			cloud := serve(t, options())
			after := time.Now()
			newSession(t, r, cloud, newNodeSDK(t, cloud.address, key)).run(before, after)
		})
	}
	r.golden(t)
}
