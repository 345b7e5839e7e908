package config_test

import (
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/config"
)

func TestAConfigurationIsShownWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte(`
accounts:
  - name: main
    credentials: {access_key_id: shown, access_key_secret: canary1, security_token: canary2}
  - name: other
    credentials: {provider: ram_role_arn, access_key_id: a, access_key_secret: canary3, role_arn: "acs:ram::1:role/r", external_id: canary4}
collect:
  topics: {include: "orders-.*"}
`))
	if err != nil {
		t.Fatal(err)
	}
	text := c.String()
	for _, want := range []string{"access_key_id: shown", "access_key_secret: <secret>", "include: orders-.*", "share: 0.7", "interval: 30s"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "canary") || strings.Contains(text, `""`) || strings.Contains(text, "null") {
		t.Error(text)
	}
}

func TestWhatIsShownIsAConfiguration(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte("accounts: [{name: main}]\ncollect: {tags: [team], metrics: {deny: [\"alikafka_topic_.*\"]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse([]byte(c.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, c)
	}
	if again.String() != c.String() {
		t.Errorf("%s\nbecame\n%s", c, again)
	}
}
