//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kassa/kafkaops"
	"kassa/kafkaops/local"
)

// paymentAlone is `kassa service payment` on a cluster, and where it listens.
func paymentAlone(t testing.TB, bootstrap []string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, append([]string{"service", "payment", "--brokers", strings.Join(bootstrap, ","), "--listen", "127.0.0.1:0"}, args...)...)
	url := regexp.MustCompile(`url=(http://\S+)`)
	var found []string
	until(t, "payment says where it listens", func() bool { found = url.FindStringSubmatch(p.errs.String()); return found != nil })
	return p, found[1]
}

// axiosVersion is the client of the demo's web page.
const axiosVersion = "1.13.2"

// axios is a directory in which node finds it, from the cache or from npm.
func axios(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "kassa", "axios-"+axiosVersion)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "axios", "package.json")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "axios@"+axiosVersion)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm: %v\n%s", err, out)
	}
	return dir
}

// The demo's page calls payment with axios. Its call must work as it is, byte for byte, also through a browser's question for permission.
func TestE2EAxios(t *testing.T) {
	cluster := guarded(t, local.Config{})
	p, url := paymentAlone(t, cluster.Bootstrap())
	script := `
const axios = require("axios");
const cart = [{id: 1, name: "T-Shirt", price: 1999.9, image: "/product1.png", description: "Classic"}];
(async () => {
  const ok = await axios.post(process.argv[1], {cart}, {headers: {Origin: "http://localhost:3000"}});
  const bad = await axios.post(process.argv[1], {cart: []}).catch(e => e.response);
  const asked = await axios.options(process.argv[1], {headers: {Origin: "http://localhost:3000", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}});
  console.log(JSON.stringify([ok, bad, asked].map(r => ({status: r.status, statusText: r.statusText, data: r.data, headers: r.headers}))));
})();`
	run := exec.CommandContext(t.Context(), "node", "-e", script, strings.Replace(url, "127.0.0.1", "localhost", 1))
	run.Dir = axios(t)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, out)
	}
	var got []struct {
		Status           int
		StatusText, Data string
		Headers          map[string]string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ok, bad, asked := got[0], got[1], got[2]
	if ok.Status != 200 || ok.StatusText != "OK" || ok.Data != "Payment successful" || ok.Headers["access-control-allow-origin"] != "http://localhost:3000" || ok.Headers["content-length"] != "18" {
		t.Errorf("the demo's call: %+v", ok)
	}
	if bad.Status != 400 || bad.Data != "the cart was refused: it is empty" {
		t.Errorf("an empty cart: %+v", bad)
	}
	if asked.Status != 204 || !strings.Contains(asked.Headers["access-control-allow-headers"], "Content-Type") || asked.Headers["access-control-allow-methods"] != "POST" {
		t.Errorf("the browser's question: %+v", asked)
	}
	payments := readCommitted(t, cluster.Bootstrap())["payment-successful"]
	if len(payments) != 1 {
		t.Errorf("%d payments are in the log", len(payments))
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "kassa_payment_accepted_total 1"} {
		if text := get(t, strings.Replace(url, "/payment-service", path, 1)); !strings.Contains(text, want) {
			t.Errorf("%s says %s", path, text)
		}
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func get(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// BenchmarkHTTP is what customers who wait for their answers, one after the other on connections that stay open, get out of payment and three brokers on this
// machine: requests a second, and how long one takes. The customers take part of the machine too. KASSA_CUSTOMERS is how many they are, and KASSA_SET=key=value,…
// changes broker settings.
//
//	go test -tags e2e -run '^$' -bench HTTP -benchtime 60000x ./cmd/kassa
func BenchmarkHTTP(b *testing.B) {
	profile := kafkaops.FastFailover()
	for _, set := range strings.Split(os.Getenv("KASSA_SET"), ",") { // later settings win
		if key, value, ok := strings.Cut(set, "="); ok {
			profile.Settings = append(profile.Settings, kafkaops.Setting{Key: key, Value: value})
		}
	}
	cluster := guarded(b, local.Config{Profile: profile})
	_, url := paymentAlone(b, cluster.Bootstrap())
	customers := 115 // who keep two cores busy
	if n, err := strconv.Atoi(os.Getenv("KASSA_CUSTOMERS")); err == nil {
		customers = n
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: customers}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	body := `{"cart":[{"id":1,"name":"T-Shirt","price":1999.9,"image":"/product1.png","description":"d"}]}`
	buy := func() error {
		resp, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "Payment successful" {
			b.Errorf("%d %s %v", resp.StatusCode, text, err)
		}
		return nil
	}
	crowd := func(n int64) (took []time.Duration) {
		var wg sync.WaitGroup
		var next atomic.Int64
		each := make([][]time.Duration, customers)
		for i := range customers {
			wg.Go(func() {
				for next.Add(1) <= n {
					begun := time.Now()
					if err := buy(); err != nil {
						b.Error(err)
						return
					}
					each[i] = append(each[i], time.Since(begun))
				}
			})
		}
		wg.Wait()
		return slices.Concat(each...)
	}
	crowd(40_000) // JVMs that are young are slow
	b.ResetTimer()
	took := crowd(int64(b.N))
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
