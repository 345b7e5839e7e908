module github.com/alikafka-exporter/alikafka-exporter/test/program

go 1.26.8
