package hosttest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestPostgresURLIsAnEmptyDatabaseOfItsOwn(t *testing.T) {
	first, second := PostgresURL(t), PostgresURL(t)
	if first == second {
		t.Fatal("two tests got one database")
	}
	for _, address := range []string{first, second} {
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		// Left open on purpose: the clean-up drops the database nevertheless.
		if _, err := conn.Exec(t.Context(), "CREATE TABLE mine (id BIGINT)"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMissingSkipsUnlessRequired(t *testing.T) {
	for _, story := range []struct{ require, want string }{
		{"", "skipped"},
		{"postgres", "skipped"},
		{"postgres, browser", "failed"},
		{"all", "failed"},
	} {
		t.Setenv("UNDERSTUDY_TEST_REQUIRE", story.require)
		fake := watch(t, func(t testing.TB) { Missing(t, "browser", "no Chromium") })
		if fake.ended != story.want {
			t.Errorf("with UNDERSTUDY_TEST_REQUIRE=%q the test %s, want %s", story.require, fake.ended, story.want)
		}
	}
}
