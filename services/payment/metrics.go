package payment

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kassa/services"
)

// NewRegistry is a registry of Prometheus with the process's own figures, for Config.Metrics and Metrics.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// detachable is a registerer for one till. The client unregisters its figures when it has closed; by then those of the next till of the slot, which
// are called the same, may be there.
type detachable struct {
	prometheus.Registerer

	mu   sync.Mutex
	cs   []prometheus.Collector
	gone bool
}

// Register implements prometheus.Registerer.
func (d *detachable) Register(c prometheus.Collector) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.Registerer.Register(c); err != nil {
		return err
	}
	d.cs = append(d.cs, c)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (d *detachable) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := d.Register(c); err != nil {
			panic(err)
		}
	}
}

// Unregister implements prometheus.Registerer.
func (d *detachable) Unregister(c prometheus.Collector) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.gone && d.Registerer.Unregister(c)
}

// detach unregisters everything. Nothing is done to the registry from then on.
func (d *detachable) detach() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.cs {
		d.Registerer.Unregister(c)
	}
	d.cs, d.gone = nil, true
}

// Metrics serves what reg has, with payment's own figures and those of all services that stats lists. Call it once for a registry.
func (s *Service) Metrics(reg *prometheus.Registry, stats func() []services.Stats) http.Handler {
	reg.MustRegister(paymentCollector{s}, serviceCollector{stats})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg, MaxRequestsInFlight: 4})
}

// Counted counts the answers of a Handler by their code, those too that payment never came to know of (400, 413, 415, 429). Call it once for a registry.
func Counted(reg prometheus.Registerer, door http.Handler) http.Handler {
	answers := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kassa_http_requests_total", Help: "Answers over HTTP."}, []string{"code", "method"})
	reg.MustRegister(answers)
	return promhttp.InstrumentHandlerCounter(answers, door)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kassa_"+name, help, labels, nil)
}

var (
	acceptedDesc   = desc("payment_accepted_total", "Payments that Kafka acknowledged.")
	refusedDesc    = desc("payment_refused_total", "Carts and keys that were refused, and payments for which there was no room or no instance; nothing was written.")
	unresolvedDesc = desc("payment_unresolved_total", "Payments that ended without an answer: they may be in the log.")
	pendingDesc    = desc("payment_pending", "Payments that wait for their acknowledgement.")
	ackDesc        = desc("payment_ack_seconds", "Time from a request to its acknowledgement.")

	handledDesc     = desc("service_handled_total", "Events handled and committed.", "service")
	producedDesc    = desc("service_produced_total", "Events written and committed.", "service")
	deadDesc        = desc("service_dead_letters_total", "Events that could not be read, or were refused.", "service")
	retriesDesc     = desc("service_retries_total", "Batches that had to be done again.", "service")
	restartsDesc    = desc("service_restarts_total", "Instances that crashed or failed, and were started again.", "service")
	lagDesc         = desc("service_lag_records", "Records that it has yet to read; of payment, those not acknowledged yet.", "service")
	instancesDesc   = desc("service_instances", "Instances that should run.", "service")
	liveDesc        = desc("service_instances_live", "Instances that run.", "service")
	serviceTimeDesc = desc("service_seconds", "Time from an event until what follows from it is committed, since the start.", "service", "quantile")
)

// paymentCollector reads the Service when it is asked.
type paymentCollector struct{ s *Service }

// Describe implements prometheus.Collector.
func (c paymentCollector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements prometheus.Collector.
func (c paymentCollector) Collect(to chan<- prometheus.Metric) {
	st := c.s.Stats()
	counter(to, acceptedDesc, st.Accepted)
	counter(to, refusedDesc, st.Refused)
	counter(to, unresolvedDesc, st.Unresolved)
	gauge(to, pendingDesc, float64(st.Pending))
	count, sum, buckets := c.s.ack.Cumulative(ackBuckets)
	to <- prometheus.MustNewConstHistogram(ackDesc, uint64(count), sum.Seconds(), buckets)
}

// ackBuckets are bounds in seconds: from a good moment to a long outage.
var ackBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// serviceCollector reads all services when it is asked. What it finds varies with their number, so it describes nothing beforehand.
type serviceCollector struct{ stats func() []services.Stats }

// Describe implements prometheus.Collector.
func (serviceCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c serviceCollector) Collect(to chan<- prometheus.Metric) {
	for _, st := range c.stats() {
		counter(to, handledDesc, st.Handled, st.Name)
		counter(to, producedDesc, st.Produced, st.Name)
		counter(to, deadDesc, st.DeadLetters, st.Name)
		counter(to, retriesDesc, st.Retries, st.Name)
		counter(to, restartsDesc, st.Restarts, st.Name)
		gauge(to, instancesDesc, float64(st.Instances), st.Name)
		gauge(to, liveDesc, float64(st.Live), st.Name)
		if st.Lag >= 0 { // an unknown figure is not there
			gauge(to, lagDesc, float64(st.Lag), st.Name)
		}
		if st.P50 > 0 {
			gauge(to, serviceTimeDesc, st.P50.Seconds(), st.Name, "0.5")
			gauge(to, serviceTimeDesc, st.P99.Seconds(), st.Name, "0.99")
		}
	}
}

func counter(to chan<- prometheus.Metric, d *prometheus.Desc, v int64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
