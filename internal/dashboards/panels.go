package dashboards

// panel is one picture. Its maker sets what its kind needs.
type panel struct {
	kind         string // Grafana's type
	title, about string
	width        int
	unit         string
	decimals     int // -1: as Grafana thinks fit
	queries      []query
	steps        []step
	states       []state
	colors       map[string]string // of series, by regular expression of their names
	empty        string            // what is shown without data
	links        []link

	sparkline bool     // of stat: a graph behind the number
	names     bool     // of stat: the names of the series rather than their values
	stacked   bool     // of timeseries
	stepped   bool     // of timeseries: a value holds until the next
	limit     bool     // of timeseries: thresholds are drawn
	shared    []string // of table: labels that are columns, in their order
	columns   []column // of table: what is said of them
	sort      []string // of table: columns, the greatest first
}

// column is a column of a table: a label, or the values of a query by its
// name.
type column struct {
	name   string
	title  string // of a label
	unit   string
	steps  []step
	states []state
	width  int
	link   *link
	hidden bool // the values only select rows
}

// link leads to another dashboard. keep lists variables that go along; set
// gives others the value of a column of the row.
type link struct {
	title string
	board string
	keep  []string
	set   []string
	url   string // instead: somewhere else
}

// stat is one number that is worth a colour.
func stat(width int, title, about, unit string, steps []step, expr string) panel {
	return panel{kind: "stat", title: title, about: about, width: width, unit: unit, decimals: -1, steps: steps, queries: []query{{expr: expr}}, empty: "no data"}
}

// graph is series over time.
func graph(width int, title, about, unit string, queries ...query) panel {
	return panel{kind: "timeseries", title: title, about: about, width: width, unit: unit, decimals: -1, queries: queries}
}

// table joins queries by the labels that they share.
func table(width int, title, about string, shared []string, queries ...query) panel {
	return panel{kind: "table", title: title, about: about, width: width, unit: unitNone, decimals: -1, shared: shared, queries: queries}
}

// bars compares a few values.
func bars(width int, title, about, unit string, steps []step, queries ...query) panel {
	return panel{kind: "bargauge", title: title, about: about, width: width, unit: unit, decimals: -1, steps: steps, queries: queries}
}

// timeline shows which state things were in.
func timeline(width int, title, about string, states []state, queries ...query) panel {
	return panel{kind: "state-timeline", title: title, about: about, width: width, unit: unitNone, decimals: -1, states: states, queries: queries}
}

func (p panel) withStates(s []state) panel           { p.states = s; return p }
func (p panel) withSteps(s []step) panel             { p.steps, p.limit = s, true; return p }
func (p panel) withColors(c map[string]string) panel { p.colors = c; return p }
func (p panel) withSparkline() panel                 { p.sparkline = true; return p }
func (p panel) withNames() panel                     { p.names = true; return p }
func (p panel) withEmpty(text string) panel          { p.empty = text; return p }
func (p panel) withLinks(l ...link) panel            { p.links = l; return p }
func (p panel) named(legend string) panel            { p.queries[0].name = legend; return p }
func (p panel) inSteps() panel                       { p.stepped = true; return p }
func (p panel) inStack() panel                       { p.stacked = true; return p }
func (p panel) withColumns(c ...column) panel        { p.columns = c; return p }
func (p panel) sortedBy(names ...string) panel       { p.sort = names; return p }
func (p panel) withDecimals(n int) panel             { p.decimals = n; return p }

// fromZero is calm at 0 and of a colour from 1 on.
func fromZero(color string) []step { return []step{{0, calm}, {1, color}} }

// plain has no opinion.
func plain() []step { return []step{{0, notice}} }

func lagSteps() []step { return []step{{0, calm}, {lagSeconds, warning}, {4 * lagSeconds, worst}} }
func ageSteps() []step { return []step{{0, calm}, {dataAge, warning}, {3 * dataAge, worst}} }
func quotaSteps() []step {
	return []step{{0, calm}, {quotaWarning, warning}, {quotaCritical, worst}}
}

// The links of rows to what they are about.

func toInstance() *link {
	return &link{title: "Instance ${__data.fields.instance_id}", board: uidInstance, set: []string{"account", "region_id", "instance_id"}}
}

// toTopic and toGroup lead on from a dashboard of one instance.
func toTopic() *link {
	return &link{title: "Topic ${__data.fields.topic}", board: uidTopic, keep: []string{"account", "region_id", "instance_id"}, set: []string{"topic"}}
}

func toGroup() *link {
	return &link{title: "Consumer group ${__data.fields.consumer_group}", board: uidGroup, keep: []string{"account", "region_id", "instance_id"}, set: []string{"consumer_group"}}
}

// The dashboards.
const (
	uidFleet    = "alikafka-fleet"
	uidInstance = "alikafka-instance"
	uidTopic    = "alikafka-topic"
	uidGroup    = "alikafka-consumer-group"
	uidAPI      = "alikafka-api"
	uidActions  = "alikafka-actions"
)

// The variables, each within those before it.

func account() variable {
	return variable{name: "account", label: "Account", metric: "alikafka_up", many: true}
}

func region() variable {
	return variable{name: "region_id", label: "Region", metric: "alikafka_up", within: `account=~"$account"`, many: true}
}

func instances(many bool) variable {
	return variable{name: "instance_id", label: "Instance", metric: "alikafka_instance_info", within: `account=~"$account",region_id=~"$region_id"`, many: many}
}

// inInstance are the matchers of the one instance that is chosen.
const inInstance = `account=~"$account",region_id=~"$region_id",instance_id="$instance_id"`

func topics() variable {
	return variable{name: "topic", label: "Topic", metric: "alikafka_topic_partitions", within: inInstance}
}

func groups() variable {
	return variable{name: "consumer_group", label: "Consumer group", metric: "alikafka_consumer_group_status", within: inInstance}
}

// job finds the exporters themselves.
func job() variable {
	return variable{name: "job", label: "Job", metric: "alikafka_exporter_build_info", many: true}
}

// exporter is where the exporter's own pages are, as Prometheus reaches them.
func exporter() variable {
	return variable{name: "instance", label: "Exporter", metric: "alikafka_exporter_build_info", hidden: true}
}
