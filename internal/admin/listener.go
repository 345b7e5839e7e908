package admin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/prometheus/exporter-toolkit/web"
	"gopkg.in/yaml.v3"
)

// CheckListener reports why the admin endpoint must not listen on an address
// with a web configuration: off loopback it needs TLS, and its callers have
// tokens, not passwords. An empty file name is no configuration.
func CheckListener(address, configFile string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--admin.listen-address: %w", err)
	}
	var config web.Config
	if configFile != "" {
		text, err := os.ReadFile(configFile) //nolint:gosec // the operator's choice
		if err != nil {
			return fmt.Errorf("--admin.config.file: %w", err)
		}
		if yaml.Unmarshal(text, &config) != nil || web.Validate(configFile) != nil {
			return fmt.Errorf("--admin.config.file: %w", errors.Join(web.Validate(configFile), errors.New("not a web configuration with tls_server_config")))
		}
		if len(config.Users) > 0 {
			return errors.New("--admin.config.file: basic_auth_users: callers are known by the tokens of admin.principals")
		}
	}
	addr, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && addr.Unmap().IsLoopback()
	if !loopback && !config.TLSConfig.IsEnabled() {
		return fmt.Errorf("--admin.listen-address: %s is not a loopback address: tokens would travel in clear text; give --admin.config.file with tls_server_config", address)
	}
	return nil
}
