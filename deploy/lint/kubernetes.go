package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// kustomization is as much of Kustomize's file as is used.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace"`
	Resources  []string `json:"resources"`
	Images     []struct {
		Name    string `json:"name"`
		NewName string `json:"newName"`
		NewTag  string `json:"newTag"`
	} `json:"images"`
}

// manifests are the things that there are, by kind.
type manifests struct {
	namespace  core.Namespace
	config     core.ConfigMap
	secret     core.Secret
	deployment apps.Deployment
	service    core.Service
	budget     policy.PodDisruptionBudget
}

func (l *linter) kubernetes(dir string) error {
	var k kustomization
	if err := read(filepath.Join(dir, "kustomization.yaml"), &k); err != nil {
		return err
	}
	var m manifests
	into := map[string]any{
		"namespace.yaml": &m.namespace, "config.yaml": &m.config, "secret.example.yaml": &m.secret, "deployment.yaml": &m.deployment,
		"service.yaml": &m.service, "disruption.yaml": &m.budget,
	}
	for _, name := range slices.Sorted(maps.Keys(into)) {
		if err := read(filepath.Join(dir, name), into[name]); err != nil {
			return err
		}
		if !slices.Contains(k.Resources, name) && name != "secret.example.yaml" {
			l.fault("deploy/kubernetes/kustomization.yaml", "it leaves out %s", name)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != len(into)+1 {
		return fmt.Errorf("there are %d files, and %d are checked: add the new one here (%w)", len(files), len(into)+1, err)
	}
	for _, image := range k.Images {
		l.tagged("deploy/kubernetes/kustomization.yaml", image.NewName+":"+image.NewTag)
	}
	l.pod(&m)
	l.together(&m)
	return nil
}

// read decodes a manifest; a field that its kind does not have is an error.
func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.UnmarshalStrict(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

func (l *linter) pod(m *manifests) {
	const file = "deploy/kubernetes/deployment.yaml"
	pod := &m.deployment.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		l.fault(file, "the pod may run as root, or without a seccomp profile")
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		l.fault(file, "the pod gets a token that it has no use for")
	}
	if len(pod.Containers) != 1 {
		l.fault(file, "it has %d containers", len(pod.Containers))
		return
	}
	c := &pod.Containers[0]
	s := c.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
		l.fault(file, "the container may gain privileges, or write to its image")
	}
	for what, probe := range map[string]*core.Probe{"/readyz": c.ReadinessProbe, "/healthz": c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != what {
			l.fault(file, "no probe asks %s", what)
		}
	}
	grace := time.Duration(0)
	if pod.TerminationGracePeriodSeconds != nil {
		grace = time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	}
	l.drains(file, grace, m.config.Data["PEAL_DRAIN_DELAY"], m.config.Data["PEAL_DRAIN_TIMEOUT"])
	for _, env := range c.Env {
		l.known(file, env.Name)
	}
	for name := range m.config.Data {
		l.known("deploy/kubernetes/config.yaml", name)
	}
}

// together checks that the manifests mean the same things.
func (l *linter) together(m *manifests) {
	const dir = "deploy/kubernetes"
	d := &m.deployment.Spec
	labels := d.Template.Labels
	for who, selector := range map[string]map[string]string{
		"Deployment": d.Selector.MatchLabels, "Service": m.service.Spec.Selector, "PodDisruptionBudget": m.budget.Spec.Selector.MatchLabels,
	} {
		for k, v := range selector {
			if labels[k] != v || len(selector) == 0 {
				l.fault(dir, "the %s's selector does not find the pods: %s=%s", who, k, v)
			}
		}
	}
	c := &d.Template.Spec.Containers[0]
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil || from.ConfigMapRef.Name != m.config.Name {
			l.fault(dir, "the pods get their settings from somewhere else than config.yaml")
		}
	}
	for _, v := range d.Template.Spec.Volumes {
		if v.Secret != nil && v.Secret.SecretName != m.secret.Name {
			l.fault(dir, "the pods want the secret %s, and the example is %s", v.Secret.SecretName, m.secret.Name)
		}
	}
	for name, value := range m.config.Data {
		if len(value) > 9 && value[:9] == "/secrets/" && m.secret.StringData[value[9:]] == "" {
			l.fault(dir, "%s is %s, which the secret does not have", name, value)
		}
	}
	port := m.service.Spec.Ports[0].TargetPort.StrVal
	if !slices.ContainsFunc(c.Ports, func(p core.ContainerPort) bool { return p.Name == port }) {
		l.fault(dir, "the Service leads to the port %q, which the pods do not have", port)
	}
}
