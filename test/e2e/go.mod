module github.com/alikafka-exporter/alikafka-exporter/test/e2e

go 1.26.8
