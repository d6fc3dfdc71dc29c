// Package elasticmq runs ElasticMQ, an SQS server in Scala, for tests.
package elasticmq

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ramify/ramify/internal/emulator"
)

// version of org.elasticmq:elasticmq-server_3.
const version = "1.7.1"

const need = "a Java runtime of version 11 or later, and Maven (Debian: apt-get install default-jre-headless maven)"

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ramify</groupId>
  <artifactId>elasticmq</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_3</artifactId>
      <version>` + version + `</version>
    </dependency>
  </dependencies>
</project>
`

var server = sync.OnceValues(func() (*emulator.Server, error) {
	dir, err := emulator.Installed("elasticmq-"+version, install)
	if err != nil {
		return nil, err
	}
	classpath, err := os.ReadFile(filepath.Join(dir, "classpath"))
	if err != nil {
		return nil, err
	}
	port, err := emulator.FreePort()
	if err != nil {
		return nil, err
	}
	return emulator.Start(context.Background(), emulator.Command{
		Name: "ElasticMQ", Need: need, URL: fmt.Sprintf("http://127.0.0.1:%d", port), Path: "/health",
		Args: []string{
			// It lives for seconds and shares the machine with the test.
			"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx768m",
			"-cp", strings.TrimSpace(string(classpath)),
			"-Drest-sqs.bind-hostname=127.0.0.1",
			fmt.Sprintf("-Drest-sqs.bind-port=%d", port),
			"-Drest-sqs.sqs-limits=strict",
			"-Drest-stats.enabled=false",
			"-Dnode-address.host=127.0.0.1",
			fmt.Sprintf("-Dnode-address.port=%d", port),
			"org.elasticmq.server.Main",
		},
	})
})

func install(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o600); err != nil {
		return err
	}
	return emulator.Run(dir, need, "mvn", "-q", "-B", "-ntp", "-Dmaven.repo.local="+filepath.Join(dir, "repository"),
		"dependency:build-classpath", "-Dmdep.outputFile="+filepath.Join(dir, "classpath"))
}

// URL is the endpoint of the one server of this test binary, which is started
// when first asked for. A test where it cannot start fails.
func URL(t testing.TB) string {
	t.Helper()
	return emulator.URL(t, server)
}
