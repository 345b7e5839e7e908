package collector

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
)

func candidates(lags ...int64) []candidate {
	all := make([]candidate, len(lags))
	for n, lag := range lags {
		all[n] = candidate{unit{"group", "topic", int32(n)}, lag, 3}
	}
	return all
}

// keptOf returns the partitions of a choice, a digit each.
func keptOf(kept map[unit]float64) string {
	var b []byte
	for n := range int32(8) {
		if _, ok := kept[unit{"group", "topic", n}]; ok {
			b = append(b, '0'+byte(n))
		}
	}
	return string(b)
}

func TestChoosingPartitions(t *testing.T) {
	t.Parallel()
	ranks := func(r map[int32]float64) map[unit]float64 {
		m := map[unit]float64{}
		for n, v := range r {
			m[unit{"group", "topic", n}] = v
		}
		return m
	}
	for _, c := range []struct {
		name string
		lags []int64
		room int
		kept map[int32]float64
		full bool
		want string
		left int
	}{
		{"everything that fits is kept", []int64{0, 5, 0}, 9, nil, false, "012", 0},
		{"those that lag most are", []int64{1, 7, 0, 9}, 6, nil, false, "13", 6},
		{"equals by name", []int64{0, 0, 0, 0}, 7, nil, false, "01", 6},
		{"room below nothing keeps nothing", []int64{4}, -5, nil, true, "", 3},
		{"one that is kept stays beside one that lags a little more", []int64{10, 19}, 3, map[int32]float64{0: 10}, false, "0", 3},
		{"but gives way to one that lags more than twice as much", []int64{10, 21}, 3, map[int32]float64{0: 10}, false, "1", 3},
		{"what it has lagged lately counts", []int64{0, 19}, 3, map[int32]float64{0: 20}, false, "0", 3},
		{"and fades", []int64{0, 21}, 3, map[int32]float64{0: 20}, false, "1", 3},
		{"one without lag gives way to any", []int64{0, 1}, 3, map[int32]float64{0: 0}, false, "1", 3},
		{"once it was full, newcomers leave some room", []int64{0, 0, 0}, 9, map[int32]float64{0: 0, 1: 0}, true, "01", 3},
		{"that is there for those who are in", []int64{0, 0, 0}, 9, map[int32]float64{0: 0, 1: 0, 2: 0}, true, "012", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, left := choose(candidates(c.lags...), c.room, ranks(c.kept), 0.5, c.full)
			if keptOf(got) != c.want || left != c.left {
				t.Errorf("kept %q and left %d series, want %q and %d", keptOf(got), left, c.want, c.left)
			}
		})
	}
}

func TestAChoiceIsWithinItsRoomAndComplete(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	kept := map[unit]float64{}
	full := false
	for range 2000 {
		all := make([]candidate, random.IntN(60))
		total := 0
		for n := range all {
			all[n] = candidate{unit{strconv.Itoa(n % 3), "t", int32(n / 3)}, random.Int64N(1 << random.IntN(30)), 1 + random.IntN(4)}
			total += all[n].series
		}
		room := random.IntN(150)
		next, left := choose(all, room, kept, 0.9, full)
		used := 0
		for _, c := range all {
			if rank, ok := next[c.unit]; ok {
				used += c.series
				if rank < float64(c.lag) {
					t.Fatalf("%v lags %d, its rank is %v", c.unit, c.lag, rank)
				}
			}
		}
		if used > room || used+left != total {
			t.Fatalf("%d series kept and %d left of %d, room for %d", used, left, total, room)
		}
		if again, _ := choose(all, room, next, 1, left > 0); !maps.Equal(again, next) {
			t.Fatalf("without a change the choice becomes another one: %v, then %v", next, again)
		}
		kept, full = next, left > 0
	}
}
