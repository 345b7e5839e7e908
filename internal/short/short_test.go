package short_test

import (
	"testing"
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/short"
)

func TestOf(t *testing.T) {
	t.Parallel()
	lengths := map[string]struct{ got, whole, tenth int64 }{
		"rounds":              {int64(short.Of(2000)), 2000, 200},
		"simulated time":      {int64(short.Of(time.Hour)), int64(time.Hour), int64(6 * time.Minute)},
		"less than ten of it": {int64(short.Of(5)), 5, 1},
	}
	for name, l := range lengths {
		want := l.whole
		if testing.Short() {
			want = l.tenth
		}
		if l.got != want {
			t.Errorf("%s: %d, want %d", name, l.got, want)
		}
	}
}
