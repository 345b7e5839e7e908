package engine

import "slices"

// Row is what tests want to know of a row of the table of operations.
type Row struct {
	Action, Kind, Check, Inverse string
	Guards                       []string
	Needs                        string
	Tagged, Webhook              bool
}

// Rows returns the table of operations.
func Rows() []Row {
	var rows []Row
	for _, o := range operations {
		rows = append(rows, Row{
			Action: o.action, Kind: o.kind, Check: o.check, Inverse: o.inverse, Guards: o.guards, Needs: o.needs.String(),
			Tagged: o.tagged, Webhook: slices.Contains(webhookActions, o.action),
		})
	}
	return rows
}

// GuardRow is what tests want to know of a guard.
type GuardRow struct{ Name, About string }

// GuardRows returns the table of guards.
func GuardRows() []GuardRow {
	var rows []GuardRow
	for _, g := range guards {
		rows = append(rows, GuardRow{g.name, g.about})
	}
	return rows
}
