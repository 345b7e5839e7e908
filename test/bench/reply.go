package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
)

// partitionsOfReply are those of the benchmark.
const partitionsOfReply = 1000

// reply is point 3: the benchmark of a reply's way from bytes to blocks.
func reply(ctx context.Context, o options) error {
	o.printf("\n## A reply of GetConsumerProgress with %d partitions\n\n", partitionsOfReply)
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkReply$", "-benchmem", "-cpu", "1", "-count", "5", "./internal/collector")
	cmd.Dir = o.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	line := regexp.MustCompile(`BenchmarkReply/(\w+)\S*\s.*?([0-9.]+) ns/op.*?([0-9.]+) series.*?([0-9.]+) B/op\s+([0-9.]+) allocs/op`)
	results := map[string][][]float64{}
	for _, m := range line.FindAllSubmatch(out, -1) {
		values := make([]float64, 0, 4)
		for _, text := range m[2:] {
			v, err := strconv.ParseFloat(string(text), 64)
			if err != nil {
				return err
			}
			values = append(values, v)
		}
		results[string(m[1])] = append(results[string(m[1])], values)
	}
	us, them := results["blocks"], results["reference"]
	if len(us) == 0 || len(them) == 0 {
		return fmt.Errorf("no results in:\n%s", bytes.TrimSpace(out))
	}
	o.printf("| | ms: median | min | max | series | µs/partition | B/partition | allocations/partition |\n|---|---|---|---|---|---|---|---|\n")
	o.replyRow("bytes to blocks", us)
	o.replyRow("encoding/json and client_golang", them)
	times := middle(them, 0) / middle(us, 0)
	allocations := middle(us, 3) / partitionsOfReply
	o.bar("3 a reply against encoding/json and client_golang", times >= 4, "%.1f times; bar 4", times)
	o.bar("3 allocations per partition", allocations < 1, "%.2f; bar 1", allocations)
	return nil
}

func (o options) replyRow(name string, rows [][]float64) {
	least := slices.MinFunc(rows, func(a, b []float64) int { return int(a[0] - b[0]) })
	most := slices.MaxFunc(rows, func(a, b []float64) int { return int(a[0] - b[0]) })
	o.printf("| %s | %.2f | %.2f | %.2f | %.0f | %.2f | %.0f | %.2f |\n", name, middle(rows, 0)/1e6, least[0]/1e6, most[0]/1e6, middle(rows, 1),
		middle(rows, 0)/1e3/partitionsOfReply, middle(rows, 2)/partitionsOfReply, middle(rows, 3)/partitionsOfReply)
}

// middle returns the median of a column.
func middle(rows [][]float64, column int) float64 {
	var vs []float64
	for _, r := range rows {
		vs = append(vs, r[column])
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}
