package kafkaops

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// certificate is one for these names, signed by itself, and its PEM.
func certificate(t *testing.T, names ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kassa's test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// A file as Kafka's own tools take it opens a cluster that wants TLS and a log-in, and nothing less does.
func TestSecurity(t *testing.T) {
	cert, text := certificate(t, "127.0.0.1")
	named, namedText := certificate(t, "broker.example")
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	store, namedStore := write("store.pem", text), write("named.pem", namedText)
	tlsOpt := func(c tls.Certificate) kfake.Opt {
		return kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12})
	}
	login := func(mechanism, module, password string) string {
		return "sasl.mechanism=" + mechanism + "\nsasl.jaas.config=org.apache.kafka.common.security." + module + " required \\\n    username=\"alice\" \\\n    password=\"" + password + "\";\n"
	}
	const secret = `se\"cret;\\`
	trust := "ssl.truststore.type=PEM\nssl.truststore.location=" + store + "\n"
	for name, c := range map[string]struct {
		opts []kfake.Opt
		file string
		bad  bool
	}{
		"in the clear":                          {nil, "client.id=any\n", false},
		"TLS":                                   {[]kfake.Opt{tlsOpt(cert)}, "security.protocol=SSL\n" + trust, false},
		"TLS, the certificate in the file":      {[]kfake.Opt{tlsOpt(cert)}, "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=" + strings.ReplaceAll(text, "\n", "\\n") + "\n", false},
		"TLS of somebody else":                  {[]kfake.Opt{tlsOpt(cert)}, "security.protocol=SSL\n", true},
		"TLS of another name":                   {[]kfake.Opt{tlsOpt(named)}, "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=" + namedStore + "\n", true},
		"TLS of another name, which may be":     {[]kfake.Opt{tlsOpt(named)}, "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=" + namedStore + "\nssl.endpoint.identification.algorithm=\n", false},
		"TLS of somebody else, whatever a name": {[]kfake.Opt{tlsOpt(cert)}, "security.protocol=SSL\nssl.endpoint.identification.algorithm=\n", true},
		"a log-in": {
			[]kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", `se"cret;\`)},
			"security.protocol=SASL_PLAINTEXT\n" + login("PLAIN", "plain.PlainLoginModule", strings.ReplaceAll(secret, `\`, `\\`)), false,
		},
		"a wrong password": {
			[]kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "other")},
			"security.protocol=SASL_PLAINTEXT\n" + login("PLAIN", "plain.PlainLoginModule", "wrong"), true,
		},
		"both": {
			[]kfake.Opt{tlsOpt(cert), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", "s")},
			"security.protocol=SASL_SSL\n" + trust + login("SCRAM-SHA-512", "scram.ScramLoginModule", "s"), false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, err := kfake.NewCluster(append(c.opts, kfake.NumBrokers(1))...)
			if err != nil {
				t.Fatal(err)
			}
			defer fake.Close()
			s, err := ReadSecurity(write(strings.ReplaceAll(name, " ", "-"), c.file))
			if err != nil {
				t.Fatal(err)
			}
			cl, err := kgo.NewClient(append(s.Options(fake.ListenAddrs()), kgo.RequestRetries(2))...)
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := cl.Ping(ctx); (err != nil) != c.bad {
				t.Errorf("it gives %v", err)
			}
		})
	}
}

func TestSecurityThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"security.protocol=TLS\n":                                                                 `security.protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, not "TLS"`,
		"security.protocol=SSL\nssl.truststore.location=/none.jks\n":                              "ssl.truststore.type is JKS, Kafka's default, and kassa reads PEM only",
		"security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=/none.pem\n":     "no such file",
		"security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=nothing\n":   "there is no certificate",
		"security.protocol=SSL\nssl.keystore.type=PEM\nssl.keystore.certificate.chain=nothing\n":  "ssl.keystore: ",
		"security.protocol=SSL\nssl.cipher.suites=any\n":                                          "ssl.cipher.suites is not among what kassa knows",
		"security.protocol=SASL_SSL\n":                                                            "sasl.mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 here, not GSSAPI",
		"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n":                                      "sasl.jaas.config has no username",
		"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\nsasl.jaas.config=x y z;\n": "not OAUTHBEARER",
	} {
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadSecurity(path)
		var user *UserError
		if !errors.As(err, &user) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
	if _, err := ReadSecurity("/none/client.properties"); err == nil {
		t.Error("a file that is not there was read")
	}
}
