package dashboards

// Thresholds are the values that the dashboards share with the alerts, by the
// names of alerts/alikafka.rules.yml.
func Thresholds() map[string]float64 {
	return map[string]float64{
		"lag_seconds": lagSeconds, "data_age_seconds": dataAge, "slow_data_age_seconds": slowDataAge, "regions_age_seconds": regionsAge, "quota_warning_ratio": quotaWarning, "quota_critical_ratio": quotaCritical,
		"throttled_ratio": throttledShare, "api_availability_ratio": availability, "rebalances": rebalancesLimit,
		"expiry_info_seconds": expiryInfo, "expiry_warning_seconds": expiryWarning, "expiry_critical_seconds": expiryCritical,
	}
}
