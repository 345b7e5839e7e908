module github.com/alikafka-exporter/alikafka-exporter/test/browser

go 1.26.8

require github.com/alikafka-exporter/alikafka-exporter/test/program v0.0.0

replace github.com/alikafka-exporter/alikafka-exporter/test/program => ../program
