package engine

// GuardInfo is a row of the table of guards, for those who read about them.
type GuardInfo struct {
	Guard string `json:"guard"` // its name in verdicts
	About string `json:"about"`
}

// AllGuards returns every guard in the order in which they are asked.
func AllGuards() []GuardInfo {
	all := make([]GuardInfo, len(guards))
	for i, g := range guards {
		all[i] = GuardInfo{g.name, g.about}
	}
	return all
}

// Does reports whether the engine has an operation for an action; all others are
// refused.
func Does(action string) bool { return operationOf(action) != nil }
