package kafkaops

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/magiconair/properties"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Security is how a cluster wants to be spoken to: in the clear (the zero value), by TLS, with a log-in.
type Security struct {
	tls   *tls.Config
	login sasl.Mechanism
}

// tlsDial bounds a connection and its handshake. Clusters that want TLS are others' and may be far away.
const tlsDial = 10 * time.Second

// Options are those of ClientOptions for such a cluster. By TLS a broker that hangs is noticed by time-outs only.
func (s Security) Options(bootstrap []string) []kgo.Opt {
	opts := ClientOptions(bootstrap)
	if s.tls != nil {
		d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: tlsDial}, Config: s.tls}
		opts = append(opts, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, tlsDial)
			defer cancel()
			return d.DialContext(ctx, network, addr)
		}))
	}
	if s.login != nil {
		opts = append(opts, kgo.SASL(s.login))
	}
	return opts
}

// ReadSecurity reads a properties file as Kafka's own tools take it by --command-config: security.protocol, sasl.mechanism (PLAIN, SCRAM-SHA-256 or
// SCRAM-SHA-512), sasl.jaas.config, and trust and keys in PEM. Other settings of clients are left aside. What is wrong with it is a *UserError.
//
// Kafka's documentation, "Security"; KIP-651 (PEM).
func ReadSecurity(path string) (Security, error) {
	fail := func(err error) (Security, error) {
		return Security{}, &UserError{Message: fmt.Sprintf("--command-config %s: %v", path, err), Err: err}
	}
	loader := &properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	p, err := loader.LoadFile(path)
	if err != nil {
		return fail(err)
	}
	s, err := securityOf(p.Map())
	if err != nil {
		return fail(err)
	}
	return s, nil
}

// known are the settings of TLS and log-ins that are honoured. Others of these two would be missed, so they are refused.
func known() []string {
	return []string{
		"security.protocol", "sasl.mechanism", "sasl.jaas.config", "ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.certificates",
		"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.endpoint.identification.algorithm",
		"ssl.protocol", "ssl.enabled.protocols", // Go's own choice, TLS 1.2 or 1.3, is within both
	}
}

func securityOf(p map[string]string) (s Security, err error) {
	for key := range p {
		if (strings.HasPrefix(key, "ssl.") || strings.HasPrefix(key, "sasl.")) && !slices.Contains(known(), key) {
			return s, fmt.Errorf("%s is not among what kassa knows: %s", key, strings.Join(known(), ", "))
		}
	}
	protocol := strings.ToUpper(cmp.Or(p["security.protocol"], "PLAINTEXT"))
	switch protocol {
	case "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL":
	default:
		return s, fmt.Errorf("security.protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, not %q", protocol)
	}
	if strings.HasSuffix(protocol, "SSL") {
		if s.tls, err = tlsOf(p); err != nil {
			return Security{}, err
		}
	}
	if strings.HasPrefix(protocol, "SASL") {
		if s.login, err = loginOf(p); err != nil {
			return Security{}, err
		}
	}
	return s, nil
}

func tlsOf(p map[string]string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	trust, err := pemOf(p, "ssl.truststore", "certificates")
	if err != nil {
		return nil, err
	}
	if trust != nil {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(trust) {
			return nil, errors.New("there is no certificate in what ssl.truststore names")
		}
	}
	chain, err := pemOf(p, "ssl.keystore", "certificate.chain")
	if err != nil {
		return nil, err
	}
	if chain != nil {
		key := []byte(cmp.Or(p["ssl.keystore.key"], string(chain))) // a file has both
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return nil, fmt.Errorf("ssl.keystore: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if name, given := p["ssl.endpoint.identification.algorithm"]; given && name == "" {
		// The certificate is to be trusted, whatever name it has: what Kafka's own tools make of it.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = func(c tls.ConnectionState) error {
			opts := x509.VerifyOptions{Roots: cfg.RootCAs, Intermediates: x509.NewCertPool()}
			for _, between := range c.PeerCertificates[1:] {
				opts.Intermediates.AddCert(between)
			}
			_, err := c.PeerCertificates[0].Verify(opts)
			return err
		}
	}
	return cfg, nil
}

// pemOf is the PEM of a store: the text itself, or a file; nil if neither is there.
func pemOf(p map[string]string, store, text string) ([]byte, error) {
	inline, location := p[store+"."+text], p[store+".location"]
	if inline == "" && location == "" {
		return nil, nil
	}
	if kind := p[store+".type"]; !strings.EqualFold(kind, "PEM") {
		return nil, fmt.Errorf("%s.type is %s, and kassa reads PEM only: write the certificates to a file with keytool -list -rfc -keystore FILE, and name that with type PEM",
			store, cmp.Or(kind, "JKS, Kafka's default"))
	}
	if inline != "" {
		return []byte(inline), nil
	}
	return os.ReadFile(location)
}

// jaas is an option of a log-in module: username="alice".
var jaas = regexp.MustCompile(`\b(username|password)\s*=\s*"((?:[^"\\]|\\.)*)"`)

func loginOf(p map[string]string) (sasl.Mechanism, error) {
	var user, password string
	for _, m := range jaas.FindAllStringSubmatch(p["sasl.jaas.config"], -1) {
		value := regexp.MustCompile(`\\(.)`).ReplaceAllString(m[2], "$1")
		if m[1] == "username" {
			user = value
		} else {
			password = value
		}
	}
	mechanism := strings.ToUpper(cmp.Or(p["sasl.mechanism"], "GSSAPI"))
	switch mechanism {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		return nil, fmt.Errorf("sasl.mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 here, not %s", mechanism)
	}
	if user == "" {
		return nil, errors.New(`sasl.jaas.config has no username="…" password="…"`)
	}
	switch mechanism {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	}
	return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
}
