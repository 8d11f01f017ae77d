package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func (l *linter) dockerfile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		return err
	}
	for _, w := range parsed.Warnings {
		l.fault("deploy/Dockerfile", "%s", w.Short)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, s := range stages {
		if !names[s.BaseName] && s.BaseName != "scratch" {
			l.tagged("deploy/Dockerfile", s.BaseName)
		}
		names[s.Name] = true
	}
	user, health, shell := "", false, false
	for _, c := range stages[len(stages)-1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.HealthCheckCommand:
			health = true
		case *instructions.EntrypointCommand:
			shell = c.PrependShell
		case *instructions.EnvCommand:
			for _, v := range c.Env {
				l.known("deploy/Dockerfile", v.Key)
			}
		}
	}
	uid, _, _ := strings.Cut(user, ":")
	if uid == "" || uid == "0" || strings.Trim(uid, "0123456789") != "" {
		l.fault("deploy/Dockerfile", "USER is %q: it has to be a number other than 0, or Kubernetes cannot tell that it is not root", user)
	}
	if !health {
		l.fault("deploy/Dockerfile", "it has no HEALTHCHECK")
	}
	if shell {
		l.fault("deploy/Dockerfile", "ENTRYPOINT goes through a shell: it would not get SIGTERM")
	}
	return nil
}

func (l *linter) compose(path string) error {
	const file = "deploy/compose/compose.yaml"
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: l.deploy + "/compose", ConfigFiles: []types.ConfigFile{{Filename: path}}, Environment: types.Mapping{},
	})
	if err != nil {
		return err
	}
	nodes := 0
	for _, s := range project.Services {
		if s.Build == nil {
			l.tagged(file, s.Image)
			if s.HealthCheck == nil {
				l.fault(file, "%s has no healthcheck", s.Name)
			}
		}
		for name, value := range s.Environment {
			l.known(file, name)
			if secret := strings.Contains(name, "KEY") || strings.Contains(name, "PASSWORD"); secret && !strings.HasSuffix(name, "_FILE") && value != nil {
				l.fault(file, "%s has the secret %s in its environment; give it as a file", s.Name, name)
			}
		}
		for _, secret := range s.Secrets {
			if _, ok := project.Secrets[secret.Source]; !ok {
				l.fault(file, "%s wants the secret %s, which there is not", s.Name, secret.Source)
			}
		}
		if len(s.Command) == 0 || s.Command[0] != "serve" {
			continue
		}
		nodes++
		var delay, timeout string
		if v := s.Environment["PEAL_DRAIN_DELAY"]; v != nil {
			delay = *v
		}
		if v := s.Environment["PEAL_DRAIN_TIMEOUT"]; v != nil {
			timeout = *v
		}
		if s.StopGracePeriod == nil {
			l.fault(file, "%s has no stop_grace_period", s.Name)
			continue
		}
		l.drains(file, time.Duration(*s.StopGracePeriod), delay, timeout)
	}
	if nodes != 3 {
		l.fault(file, "it has %d nodes of Peal, not 3", nodes)
	}
	return nil
}
