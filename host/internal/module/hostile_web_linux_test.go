package module_test

import (
	"log/slog"
	"net/http"

	"github.com/understudy-crm/understudy/host/internal/app"
	"github.com/understudy-crm/understudy/host/internal/module"
	"github.com/understudy-crm/understudy/host/internal/web"
)

// The tests within the package can't import the pages, which import the package.
func init() {
	module.HostPages = func(a *app.App, m *module.Manager) (http.Handler, error) {
		return web.New(web.Options{App: a, Modules: m, Log: slog.New(slog.DiscardHandler), Version: "3.1.0"})
	}
}
