// Command peal is the whole of Peal: the server, its demonstration, the provider emulators and the command line
// client.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// cli is the tree of commands.
type cli struct {
	Dev   DevCmd   `cmd:"" group:"server" help:"Try Peal: everything in one process, with an emulated provider."`
	Serve ServeCmd `cmd:"" group:"server" help:"Run the server."`

	Migrate MigrateCmd `cmd:"" group:"server" help:"Bring the database's schema up to date."`

	Send        SendCmd        `cmd:"" group:"client" help:"Send a notification, or many from a file."`
	Log         LogCmd         `cmd:"" group:"client" help:"Look at the log of deliveries."`
	Inbound     InboundCmd     `cmd:"" group:"client" help:"Look at what people wrote."`
	Events      EventsCmd      `cmd:"" group:"client" help:"Print the event log, or follow it: what happens to deliveries, integrations, contacts, …"`
	DLQ         DLQCmd         `cmd:"" group:"client" name:"dlq" help:"Look after dead letters: deliveries that ran out of attempts."`
	Callbacks   CallbacksCmd   `cmd:"" group:"client" help:"Look at webhooks as they came, and replay them."`
	User        UserCmd        `cmd:"" group:"client" help:"Keep the users that notifications can name."`
	Device      DeviceCmd      `cmd:"" group:"client" help:"Keep users' devices."`
	UserKey     UserKeyCmd     `cmd:"" group:"client" help:"Keep the keys that sign user tokens, by which apps speak for their users."`
	UserToken   UserTokenCmd   `cmd:"" group:"client" help:"Sign a user token, to try things out."`
	Integration IntegrationCmd `cmd:"" group:"client" help:"Keep the accounts at providers."`
	Endpoint    EndpointCmd    `cmd:"" group:"client" help:"Keep endpoints: URLs of yours that are told what happens (outbound webhooks)."`
	Template    TemplateCmd    `cmd:"" group:"client" help:"Look at the templates of a WhatsApp account."`
	Media       MediaCmd       `cmd:"" group:"client" help:"Upload files to providers, to send them by their ids."`
	Key         KeyCmd         `cmd:"" group:"client" help:"Keep API keys."`
	Tenant      TenantCmd      `cmd:"" group:"client" help:"Keep tenants; needs the operator key."`
	Audit       AuditCmd       `cmd:"" group:"client" help:"Prove that nothing was lost: accepted = ended + in flight; needs the operator key."`

	Backup  BackupCmd  `cmd:"" group:"server" help:"Take a backup of everything, of a running server or of a stopped one's folder."`
	Restore RestoreCmd `cmd:"" group:"server" help:"Make a data folder of a backup."`
	Doubt   DoubtCmd   `cmd:"" group:"server" help:"Set in doubt what may have been sent since a database was restored."`
	Health  HealthCmd  `cmd:"" group:"other" help:"Tell by the exit code whether a server takes work."`

	Emulate EmulateCmd `cmd:"" group:"other" help:"Run the stand-in of a provider, for tests."`
	Version VersionCmd `cmd:"" group:"other" help:"Print the version."`
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// run runs one command and returns its exit code. Errors are printed here and nowhere else.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	helped := false
	parser, err := kong.New(&cli{},
		kong.Name("peal"),
		kong.Description("Peal gets a message to a person and proves what became of it."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "The server:"},
			{Key: "client", Title: "Commands that call a server:"},
			{Key: "other", Title: "Others:"},
			{Key: "conn", Title: "Which server, and as whom:"},
			{Key: "content", Title: "What to say (one of them):"},
			{Key: "push", Title: "Credentials of fcm, apns and webpush:"},
			{Key: "settings", Title: "Settings:"},
		}),
		kong.ValueFormatter(valueHelp),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(newTerm(stdin, stdout, stderr), &configFile{}),
	)
	if err != nil {
		report(stderr, err)
		return exitFailure
	}
	kctx, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		report(stderr, usage(err))
		return exitUsage
	}
	if err := kctx.Run(); err != nil {
		report(stderr, err)
		if _, ok := errors.AsType[*usageError](err); ok {
			return exitUsage
		}
		return exitFailure
	}
	return exitOK
}

// valueHelp is the help of a flag, with its default and its variable in brackets at the end.
func valueHelp(v *kong.Value) string {
	var notes []string
	if v.HasDefault && v.Default != "" {
		notes = append(notes, "default "+v.Default)
	}
	for _, env := range v.Tag.Envs {
		notes = append(notes, "$"+env)
	}
	if len(notes) == 0 {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " (" + strings.Join(notes, ", ") + ")."
}
