package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
)

// revisionChannel is where PostgreSQL tells that the authority revision was raised.
const revisionChannel = "understudy_revision"

// Listen calls heard whenever another process, or this one, has raised the authority revision, until
// the connection breaks or ctx ends. It holds one connection. What was raised before it listens it
// doesn't tell, so heard is called once at the beginning. Where nobody can tell, on SQLite, it waits
// for ctx.
func (s *Store) Listen(ctx context.Context, heard func()) error {
	if s.engine != PostgreSQL {
		<-ctx.Done()
		return ctx.Err()
	}
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return unavailable(fmt.Errorf("listen: %w", err))
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error {
		opened, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a driver of another kind: %T", driver)
		}
		pg := opened.Conn()
		// Whatever becomes of it, it goes back into no pool: it listens.
		defer pg.Close(context.WithoutCancel(ctx))
		if _, err := pg.Exec(ctx, "LISTEN "+revisionChannel); err != nil {
			return err
		}
		for {
			heard()
			if _, err := pg.WaitForNotification(ctx); err != nil {
				return err
			}
		}
	})
	return unavailable(fmt.Errorf("listen: %w", err))
}
