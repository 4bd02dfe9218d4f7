package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/understudy-crm/understudy/host/internal/mail"
	"github.com/understudy-crm/understudy/host/internal/trace"
	"github.com/understudy-crm/understudy/host/internal/web"
)

// commands are all the program's commands; the settings each takes stand once, in the structs below.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the CRM."`
	Demo    demoCommand    `cmd:"" help:"Run the CRM on this machine alone, with example people and the shipped modules."`
	Module  moduleCommands `cmd:"" help:"Do what Setup → Modules does, by the same rules."`
	Admin   adminCommands  `cmd:"" help:"Make and repair sign-ins."`
	Audit   auditCommands  `cmd:"" help:"Check the Activity Log."`
	DB      dbCommands     `cmd:"" name:"db" help:"Move an installation between databases."`
	Seed    seedCommand    `cmd:"" help:"Add invented people, to try how the CRM does with many."`
	Backup  backupCommand  `cmd:"" help:"Write everything there is into one file, while the CRM runs. Restore it with db copy."`
	Doctor  doctorCommand  `cmd:"" help:"Look what is wrong with this installation, and say what to do."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// terminal is where commands print.
type terminal struct{ out, errs io.Writer }

func (t *terminal) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...) // a terminal that is gone can't be told so
}

// dataFlags say where things are kept.
type dataFlags struct {
	Data        string `help:"Folder of the database, the run folder and logs." env:"UNDERSTUDY_DATA" default:"data" type:"path"`
	Modules     string `help:"Folder in which modules are unpacked." env:"UNDERSTUDY_MODULES" default:"modules" type:"path"`
	Database    string `help:"A postgres:// URL; by default an SQLite file in the data folder." env:"UNDERSTUDY_DATABASE"`
	Replica     string `help:"Name of this replica, where several share a database: its entries of the Activity Log are sealed in a chain of their own. By default one made of the machine's name and kept in the data folder." env:"UNDERSTUDY_REPLICA"`
	Synchronous string `help:"SQLite's own setting: FULL survives a loss of power without losing the last commits." env:"UNDERSTUDY_SYNCHRONOUS" default:"FULL" enum:"NORMAL,FULL"`
}

// moduleFlags bound what may be uploaded.
type moduleFlags struct {
	AllowUpload bool `name:"modules.allow_upload" help:"Allow uploading modules in the browser." env:"UNDERSTUDY_MODULES_ALLOW_UPLOAD" default:"true" negatable:""`
	sizeFlags
	signatureFlags
	Debug    []string `name:"modules.debug" help:"Ids of modules under a debugger: they have no deadlines, and are neither killed nor started anew." env:"UNDERSTUDY_MODULES_DEBUG"`
	SafeMode bool     `help:"Start no module until an administrator says so in Setup → Modules." env:"UNDERSTUDY_SAFE_MODE" default:"false" negatable:""`
	sandboxFlags
	logKeptFlags
}

// logKeptFlags say how much of modules' logs is kept. Commands keep what the server would drop.
type logKeptFlags struct {
	LogLines int `name:"modules.log_lines" help:"Lines kept of each module's log; at least 100." env:"UNDERSTUDY_MODULES_LOG_LINES" default:"5000"`
	LogDays  int `name:"modules.log_days" help:"Days for which lines of modules' logs are kept; 0 for as long as there is room." env:"UNDERSTUDY_MODULES_LOG_DAYS" default:"30"`
}

// check refuses bounds that keep too little to find out what went wrong.
func (f logKeptFlags) check() error {
	const least, most = 100, 1_000_000
	if f.LogLines < least || f.LogLines > most {
		return fmt.Errorf("--modules.log_lines is %d; it must be from %d to %d", f.LogLines, least, most)
	}
	if f.LogDays < 0 {
		return fmt.Errorf("--modules.log_days is %d; it must be 0 or more", f.LogDays)
	}
	return nil
}

// sandboxFlags say what a module's process must be held to.
type sandboxFlags struct {
	RequireSandbox string `name:"modules.require_sandbox" help:"Start only modules that this machine can hold to it: ${enum}." env:"UNDERSTUDY_MODULES_REQUIRE_SANDBOX" default:"none" enum:"none,files,full"`
}

// sizeFlags say how large a package is taken, in the browser and by commands.
type sizeFlags struct {
	MaxUpload int64 `name:"modules.max_upload" help:"Largest module package, in bytes." env:"UNDERSTUDY_MODULES_MAX_UPLOAD" default:"67108864"`
}

// signatureFlags say whose packages are taken, in the browser and by commands.
type signatureFlags struct {
	RequireSignature bool `name:"modules.require_signature" help:"Install only packages signed by a trusted key." env:"UNDERSTUDY_MODULES_REQUIRE_SIGNATURE" default:"false" negatable:""`
}

// webFlags say how the CRM is reached.
type webFlags struct {
	Listen         string        `help:"Address to listen on; port 0 picks a free one." env:"UNDERSTUDY_LISTEN" default:"127.0.0.1:8080"`
	BasePath       string        `help:"Path below which the site stands, such as /crm, where its host shows other things, too. A proxy passes it on as it is." env:"UNDERSTUDY_BASE_PATH" placeholder:"PATH"`
	TrustedProxies []string      `help:"Addresses of the proxies before this one, such as 127.0.0.1,10.0.0.0/8: their X-Forwarded-For, X-Forwarded-Proto and X-Request-Id are believed, nobody else's." env:"UNDERSTUDY_TRUSTED_PROXIES" placeholder:"ADDRESS"`
	DrainDelay     time.Duration `help:"How long /readyz says at the end that this one is stopping, before it takes no more connections: as long as the balancer needs to notice." env:"UNDERSTUDY_DRAIN_DELAY" default:"0s"`
}

var basePathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$`)

// check refuses what can't be served.
func (f webFlags) check() error {
	const longest = 5 * time.Minute
	if !basePathPattern.MatchString(f.BasePath) {
		return fmt.Errorf("--base-path is %q; it must be like /crm, of letters, digits, - and _", f.BasePath)
	}
	if f.DrainDelay < 0 || f.DrainDelay > longest {
		return fmt.Errorf("--drain-delay is %s; it must be from 0s to %s", f.DrainDelay, longest)
	}
	_, err := f.proxies()
	return err
}

// base is the base path as addresses begin with it.
func (f webFlags) base() string { return strings.TrimRight(f.BasePath, "/") }

// proxies are whose headers are believed.
func (f webFlags) proxies() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range f.TrustedProxies {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if addr, wrong := netip.ParseAddr(text); wrong == nil {
			prefix, err = netip.PrefixFrom(addr.Unmap().WithZone(""), addr.Unmap().BitLen()), nil
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("--trusted-proxies names %q; it must be an address like 10.0.0.7, or a network like 10.0.0.0/8", text)
		case prefix.Bits() == 0:
			return nil, fmt.Errorf("--trusted-proxies names %s, which is everybody: then anybody could claim any address; name the proxies' own", text)
		case prefix.Addr().Is4In6():
			return nil, fmt.Errorf("--trusted-proxies names %s; write its IPv4 form", text)
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}

// metricsFlags say who may read /metrics.
type metricsFlags struct {
	Token string `name:"metrics.token" help:"Whoever sends this as a bearer token may read /metrics from anywhere; at least 16 characters." env:"UNDERSTUDY_METRICS_TOKEN"`
	Local bool   `name:"metrics.local" help:"Programs on this machine may read /metrics without the token. Turn it off behind a proxy that doesn't say for whom it asks." env:"UNDERSTUDY_METRICS_LOCAL" default:"true" negatable:""`
}

// check refuses a token that can be guessed.
func (f metricsFlags) check() error {
	const least = 16
	if f.Token != "" && len(f.Token) < least {
		return fmt.Errorf("--metrics.token has %d characters; it must have %d at least", len(f.Token), least)
	}
	return nil
}

func (f metricsFlags) access() web.MetricsAccess {
	return web.MetricsAccess{Token: f.Token, NotLocal: !f.Local}
}

// traceFlags say who collects how long requests' steps took.
type traceFlags struct {
	Endpoint string `name:"otlp.endpoint" help:"Where OpenTelemetry traces go by OTLP over HTTP, such as http://127.0.0.1:4318; by default nowhere. OTEL_… in the environment says the rest, such as headers and sampling." env:"UNDERSTUDY_OTLP_ENDPOINT,OTEL_EXPORTER_OTLP_ENDPOINT"`
}

// collector is nil when nobody collects.
func (f traceFlags) collector(ctx context.Context, replica string, log *slog.Logger) (*trace.Collector, error) {
	if f.Endpoint == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	return trace.New(ctx, trace.Options{Endpoint: f.Endpoint, Version: version, Replica: replica, Log: log})
}

// mailFlags say how mail goes out.
type mailFlags struct {
	Host     string `name:"mail.host" help:"SMTP server that takes the mail the CRM sends; without one it sends none." env:"UNDERSTUDY_MAIL_HOST"`
	Port     int    `name:"mail.port" help:"Its port; by default 587, with --mail.tls=implicit 465, with none 25." env:"UNDERSTUDY_MAIL_PORT" default:"0"`
	User     string `name:"mail.user" help:"Name to sign in to it with." env:"UNDERSTUDY_MAIL_USER"`
	Password string `name:"mail.password" help:"Password to sign in to it with. Better set in the environment: flags are seen by others on this machine." env:"UNDERSTUDY_MAIL_PASSWORD" placeholder:"SECRET"`
	TLS      string `name:"mail.tls" help:"STARTTLS as mandatory, or opportunistic, where the server offers it; TLS from the first byte on as implicit; or none." env:"UNDERSTUDY_MAIL_TLS" default:"mandatory" enum:"mandatory,opportunistic,implicit,none"`
	From     string `name:"mail.from" help:"Address mail comes from, such as crm@example.com or Example <crm@example.com>." env:"UNDERSTUDY_MAIL_FROM"`
	Links    string `name:"mail.links" help:"Where people reach the site, such as https://crm.example.com, for links in mails; without it they have none." env:"UNDERSTUDY_MAIL_LINKS"`
}

// check refuses a server that can't be used as it is told.
func (f mailFlags) check() error {
	if f.Host == "" {
		return nil
	}
	server, err := f.server()
	if err == nil {
		err = server.Check()
	}
	if err != nil {
		return fmt.Errorf("--mail.host is set, but %w; see --mail.from, --mail.port, --mail.user and --mail.tls", err)
	}
	if u, err := url.Parse(f.Links); f.Links != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		return fmt.Errorf("--mail.links is %q; it must be like https://crm.example.com", f.Links)
	}
	return nil
}

func (f mailFlags) server() (mail.Server, error) {
	from, err := netmail.ParseAddress(f.From)
	if err != nil {
		return mail.Server{}, fmt.Errorf("its sender %q is no address", f.From)
	}
	return mail.Server{Host: f.Host, Port: f.Port, User: f.User, Password: f.Password, Security: mail.Security(f.TLS), From: from}, nil
}

// sender sends the site's mail; nil when there is no server for it.
func (f mailFlags) sender(s *site, log *slog.Logger) (*mail.Sender, error) {
	if f.Host == "" {
		return nil, nil //nolint:nilnil // no sender is what was asked for
	}
	server, err := f.server()
	if err != nil {
		return nil, err
	}
	hosts, err := web.Texts()
	if err != nil {
		return nil, err
	}
	text := func(module, language, key string, args map[string]string) string {
		values := make(map[string]any, len(args))
		for name, value := range args {
			values[name] = value
		}
		if module == "" {
			return hosts(language, key, values)
		}
		return s.modules.Surface().Text(module, language, key, values)
	}
	s.app.UseMail()
	return mail.New(mail.Options{App: s.app, Server: server, Text: text, Links: f.Links, Log: log}), nil
}

// logFlags say what is logged.
type logFlags struct {
	LogLevel  slog.Level `help:"Least level logged: DEBUG, INFO, WARN or ERROR. Each request is a line of INFO, or of DEBUG where programs ask, or pages for their parts." env:"UNDERSTUDY_LOG_LEVEL" default:"${log_level}"`
	LogFormat string     `name:"log.format" help:"What a line looks like: text for people, json for programs." env:"UNDERSTUDY_LOG_FORMAT" default:"text" enum:"text,json"`
}

// logger writes lines that say which request they come from, and who asked.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "json" {
		return slog.New(trace.LogHandler(slog.NewJSONHandler(w, options)))
	}
	return slog.New(trace.LogHandler(slog.NewTextHandler(w, options)))
}
