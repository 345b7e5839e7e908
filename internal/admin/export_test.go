package admin

import "github.com/alikafka-exporter/alikafka-exporter/internal/admin/engine"

// RequestCost is what a request of a person counts at least, in bytes.
const RequestCost = requestCost

// NoteSize is how long a note of progress may become before another one is
// begun, in bytes.
const NoteSize = noteSize

// Spend counts bytes as if a principal had made the journal grow by them, so
// that a test need not write them.
func (s *Server) Spend(a engine.Actor, n int) { s.budgets.take(a, n) }
