module github.com/alikafka-exporter/alikafka-exporter/test/browser

go 1.26.8
