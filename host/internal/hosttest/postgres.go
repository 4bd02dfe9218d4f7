package hosttest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is the PostgreSQL server of this test process: started once, at the first need, and
// stopped by the kernel when the process ends, however it ends.
var cluster = sync.OnceValues(func() (string, error) {
	if given := os.Getenv("UNDERSTUDY_TEST_POSTGRES"); given != "" {
		return given, nil
	}
	return startPostgres()
})

// PostgresURL is the address of a fresh, empty database that is dropped when the test ends. All
// of a process's databases share one temporary server; UNDERSTUDY_TEST_POSTGRES names an existing
// one instead, by the URL of a role that may create databases. Without either the test is
// [Missing] "postgres".
func PostgresURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template1")
}

// newDatabase is a copy of a database of the server's.
func newDatabase(t testing.TB, template string) string {
	t.Helper()
	server, err := cluster()
	if err != nil {
		Missing(t, "postgres", err.Error())
	}
	name := "test_" + strings.ToLower(rand.Text())
	copying.Lock() // the server copies none that is being copied
	err = onServer(server, "CREATE DATABASE "+name+" TEMPLATE "+template)
	copying.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// By force: a test that failed may have left its connections open.
		if err := onServer(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	address, err := databaseURL(server, name)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

var copying sync.Mutex

func databaseURL(server, name string) (string, error) {
	address, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("the server's URL: %w", err)
	}
	address.Path = "/" + name
	return address.String(), nil
}

func onServer(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
