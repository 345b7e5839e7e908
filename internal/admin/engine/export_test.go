package engine

// Row is what tests want to know of a row of the table of operations.
type Row struct {
	Action, Kind, Check, Inverse string
	Guards                       []string
	Tagged                       bool
}

// Rows returns the table of operations.
func Rows() []Row {
	var rows []Row
	for _, o := range operations {
		rows = append(rows, Row{o.action, o.kind, o.check, o.inverse, o.guards, o.tagged})
	}
	return rows
}

// GuardNames returns the names of the guards.
func GuardNames() []string {
	var names []string
	for _, g := range guards {
		names = append(names, g.name)
	}
	return names
}
