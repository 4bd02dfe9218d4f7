package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// revisionChannel is where PostgreSQL tells that the authority revision was raised.
const revisionChannel = "understudy_revision"

// listenQuiet is after how long without news the connection is asked whether it still stands.
const listenQuiet = 30 * time.Second

// Listen calls heard whenever another process, or this one, has raised the authority revision, until
// the connection breaks or ctx ends. It holds one connection. What was raised before it listens it
// doesn't tell, so heard is called once at the beginning. Where nobody can tell, on SQLite, it waits
// for ctx.
func (s *Store) Listen(ctx context.Context, heard func()) error {
	if s.engine != PostgreSQL {
		<-ctx.Done()
		return ctx.Err()
	}
	bounded, done := s.near().bound(ctx)
	conn, err := s.read.Conn(bounded)
	done(err)
	if err != nil {
		return unavailable(fmt.Errorf("listen: %w", err))
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		opened, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a driver of another kind: %T", driver)
		}
		return s.listen(ctx, opened.Conn(), heard)
	})
	return unavailable(fmt.Errorf("listen: %w", err))
}

// listen is done with the connection in the end: it listens, so it goes back into no pool.
func (s *Store) listen(ctx context.Context, conn *pgx.Conn, heard func()) error {
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeLimit)
		defer cancel()
		_ = conn.Close(bounded) // one that is broken is closed all the same
	}()
	if err := s.say(ctx, conn, "LISTEN "+revisionChannel); err != nil {
		return err
	}
	heard()
	for {
		quiet, cancel := context.WithTimeout(ctx, listenQuiet)
		_, err := conn.WaitForNotification(quiet)
		silent := quiet.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			heard()
			continue
		case silent:
			err = s.say(ctx, conn, "SELECT 1")
		}
		if err != nil {
			return err
		}
	}
}

// say runs a statement on a connection, in time.
func (s *Store) say(ctx context.Context, conn *pgx.Conn, statement string) error {
	bounded, done := s.near().bound(ctx)
	_, err := conn.Exec(bounded, statement)
	done(err)
	return err
}
