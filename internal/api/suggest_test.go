package api_test

import (
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	known := []string{"GetTopicList", "GetTopicStatus", "GetConsumerList"}
	tests := []struct{ name, want string }{
		{"GetTopicLst", `; did you mean "GetTopicList"?`},
		{"gettopicstatus", `; did you mean "GetTopicStatus"?`},
		{"GetTopicStatsu", `; did you mean "GetTopicStatus"?`},
		{"DeleteInstance", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := api.DidYouMean(tt.name, known); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.name, got, tt.want)
		}
	}
}
