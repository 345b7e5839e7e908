package journal

import (
	"encoding/json"
	"testing"
)

// Frame returns the frame of a first record.
func Frame(t *testing.T, kind, body string) []byte {
	t.Helper()
	frame, _, err := encode(Record{Seq: 1, Kind: kind, Body: json.RawMessage(body)}, Hash{})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}
