package email

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"kassa/services"
	"kassa/services/events"
)

func someOrder(n int) events.Order {
	checkout := services.OrderID(fmt.Sprint(n)) // any UUID
	return events.Order{UserID: fmt.Sprint("user-", n), OrderID: services.OrderID(checkout), CheckoutID: checkout}
}

// BenchmarkMail is what one mail costs with the catcher in the process: writing it, SMTP, counting it.
func BenchmarkMail(b *testing.B) {
	m, err := NewMailer(Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	b.ReportAllocs()
	before := processorTime(b)
	for n := 0; b.Loop(); n++ {
		if err := m.Send(context.Background(), someOrder(n)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime is what this process has used: on a machine that is shared the time on the wall says little.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCompose(b *testing.B) {
	b.ReportAllocs()
	before := processorTime(b)
	for n := 0; b.Loop(); n++ {
		if _, err := compose(someOrder(n), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}
