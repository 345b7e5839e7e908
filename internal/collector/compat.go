package collector

import (
	"time"

	"github.com/alikafka-exporter/alikafka-exporter/internal/exposition"
)

// Compatibility: what is known of one instance, under the names that another
// exporter gives it. Such an exporter runs beside a cluster and knows of no
// other, so its series say neither account nor instance: the scrape target
// does.

// kafkaExporterFamilies are those of kafka_exporter that can be filled
// truthfully, with its names, labels and HELP. Brokers, replicas and leaders
// are not to be had of the cloud's API, and are absent.
func kafkaExporterFamilies() []anyFamily {
	return append(
		rows(bare(
			topicEntity, []string{"topic"},
			family[topicView]{"kafka_topic_partitions", nil, "Number of partitions for this Topic", func(t topicView, show emit) { show(float64(t.Info.Data.PartitionNum)) }},
		)),
		append(rows(bare(
			partitionEntity, []string{"topic", "partition"},
			family[partitionView]{"kafka_topic_partition_current_offset", nil, "Current Offset of a Broker at Topic/Partition", func(p partitionView, show emit) {
				if p.newestKnown {
					show(float64(p.newest))
				}
			}},
			family[partitionView]{"kafka_topic_partition_oldest_offset", nil, "Oldest Offset of a Broker at Topic/Partition", func(p partitionView, show emit) {
				if p.oldestKnown {
					show(float64(p.oldest))
				}
			}},
		)), kafkaExporterGroupFamilies()...)...,
	)
}

func kafkaExporterGroupFamilies() []anyFamily {
	all := rows(bare(
		groupPartitionEntity, []string{"consumergroup", "topic", "partition"},
		family[groupPartitionView]{"kafka_consumergroup_current_offset", nil, "Current Offset of a ConsumerGroup at Topic/Partition", func(p groupPartitionView, show emit) {
			show(float64(p.Committed))
		}},
		family[groupPartitionView]{"kafka_consumergroup_lag", nil, "Current Approximate Lag of a ConsumerGroup at Topic/Partition", func(p groupPartitionView, show emit) {
			if p.measured() {
				show(float64(p.Lag()))
			}
		}},
	))
	all = append(all, rows(bare(
		groupTopicEntity, []string{"consumergroup", "topic"},
		family[groupTopicView]{"kafka_consumergroup_current_offset_sum", nil, "Current Offset of a ConsumerGroup at Topic for all partitions", func(t groupTopicView, show emit) {
			sum := int64(0)
			for i := range t.Partitions {
				if p := &t.Partitions[i]; p.committed() {
					sum += p.Committed
				}
			}
			show(float64(sum))
		}},
		family[groupTopicView]{"kafka_consumergroup_lag_sum", nil, "Current Approximate Lag of a ConsumerGroup at Topic for all partitions", func(t groupTopicView, show emit) {
			if t.known {
				show(float64(t.lag))
			}
		}},
	))...)
	return append(all, rows(bare(
		groupEntity, []string{"consumergroup"},
		family[groupView]{"kafka_consumergroup_members", nil, "Amount of members in a consumer group", func(g groupView, show emit) {
			if g.fresh() && g.Progress.Data.MembersKnown {
				show(float64(g.Progress.Data.Members))
			}
		}},
	))...)
}

// bare is e without the first labels, which say whose instance it is, and with
// the last ones named otherwise.
func bare[E any](e entity[E], labels []string, families ...family[E]) entity[E] {
	each := e.each
	e.each = func(v *view, yield func(E)) {
		each(v, func(x E) {
			n := copy(v.labels, v.labels[v.entity-len(labels):v.entity])
			v.labels, v.entity = v.labels[:n], n
			yield(x)
		})
	}
	e.kind, e.labels, e.families = kindLive, labels, families
	return e
}

// compatPage shows instances one at a time, in the names of another exporter.
type compatPage struct {
	rows []pageRow
	page *exposition.Page // with the families' metadata, and no samples
}

func newCompatPage(families []anyFamily) *compatPage {
	p := &compatPage{}
	var described []exposition.Family
	for i, f := range families {
		d := f.family()
		p.rows = append(p.rows, pageRow{f, i, d.Name, d.Labels})
		described = append(described, exposition.Family{Name: d.Name, Help: d.Help, Type: exposition.Gauge})
	}
	page, err := exposition.NewPage(described)
	if err != nil {
		panic("collector: the table of compatible families: " + err.Error()) // a test renders all of them
	}
	p.page = page
	return p
}

// KafkaExporterPage returns what is known of an instance now, under the names
// of kafka_exporter. It returns false when the instance is not watched. The
// page is for one scrape; all of it is of one moment.
func (c *Collector) KafkaExporterPage(instanceID string) (*exposition.Page, bool) {
	for _, a := range c.accounts {
		if i := a.instanceView(instanceID); i != nil {
			return c.kafkaExporter.show(i, c.config), true
		}
	}
	return nil, false
}

func (p *compatPage) show(i *Instance, c Config) *exposition.Page {
	at := time.Now()
	return p.page.WithLive(func(dst []byte, n int) []byte {
		w := lineWriter{out: dst, family: p.rows[n].name, names: p.rows[n].labels}
		p.rows[n].samples(newView(&Snapshot{At: at, Instances: []*Instance{i}}, c, "", w.sample))
		return w.out
	})
}

// instanceView returns the instance of that id with its topics and groups;
// nil when the account has none.
func (a *account) instanceView(id string) *Instance {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.named(id); i != nil {
		return i.publish()
	}
	return nil
}
