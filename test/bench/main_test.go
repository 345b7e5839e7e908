package main

import (
	"strings"
	"testing"
	"time"
)

func TestAMissedBarFailsTheRunAndAMissedAimDoesNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		measure func(options)
		want    string
		fails   bool
	}{
		"a bar that is taken":     {func(o options) { o.bar("memory", true, "%d MB", 1) }, "bar ok     memory: 1 MB", false},
		"a bar that is missed":    {func(o options) { o.bar("memory", false, "%d MB", 3) }, "bar MISSED memory: 3 MB", true},
		"an aim that is missed":   {func(o options) { o.aim("memory", false, "%d MB", 2) }, "aim missed memory: 2 MB", false},
		"an aim that is reached":  {func(o options) { o.aim("memory", true, "%d MB", 1) }, "aim ok     memory: 1 MB", false},
		"a bar missed before one": {func(o options) { o.bar("a", false, "no"); o.bar("memory", true, "1 MB") }, "bar ok     memory: 1 MB", true},
	} {
		var out strings.Builder
		o := options{out: &out, verdicts: &verdicts{}}
		c.measure(o)
		if err := o.conclude(time.Minute); (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
		if got := out.String(); strings.Count(got, c.want+"\n") != 2 {
			t.Errorf("%s: %q is not said twice in:\n%s", name, c.want, got)
		}
	}
}
