package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
)

const (
	ownNamespace = "scopegate-system"
	ownPods      = "app.kubernetes.io/name=scopegate"
)

// install applies the manifest of whole mode, as it is shipped.
func install(s *suite) {
	s.before = s.everything()
	manifest := s.manifest()
	if images := s.importImages(manifest); len(images) != len([]string{"the manager's", "the auth server's"}) {
		s.fail("%s names the images %v, want one of the manager and one in AUTH_SERVER_IMAGE", s.options.manifest, images)
	}
	s.kubectl("apply", "--server-side", "--filename", s.manifestFile(manifest))
	s.await("both replicas are Ready", func() string {
		ready, err := s.cluster.KubectlQuiet(s.ctx, nil, "--namespace", ownNamespace, "get", "pods", "--selector", ownPods,
			"--output", `jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}`)
		s.must(err)
		if ready != "True True " {
			return "their Ready conditions are " + ready
		}
		return ""
	})
	s.kubectl("--namespace", ownNamespace, "get", "pods,leases")
	s.kubectl("get", "namespace", ownNamespace, "--show-labels")
}

// archive is the path of an archive of make image.
func (s *suite) archive(name string) string { return filepath.Join(s.options.images, name) }

// manifest is the text of the manifest: a file, or what kustomize makes of a
// folder.
func (s *suite) manifest() string {
	info, err := os.Stat(s.options.manifest)
	s.must(err)
	if info.IsDir() {
		text, err := s.cluster.KubectlQuiet(s.ctx, nil, "kustomize", s.options.manifest)
		s.must(err)
		return text
	}
	text, err := os.ReadFile(s.options.manifest)
	s.must(err)
	return string(text)
}

// manifestFile is a file with that text.
func (s *suite) manifestFile(text string) string {
	if info, err := os.Stat(s.options.manifest); err == nil && !info.IsDir() {
		return s.options.manifest
	}
	file := filepath.Join(s.cluster.Folder, "install.yaml")
	s.must(os.WriteFile(file, []byte(text), 0o600))
	return file
}

// imagesIn are the images that a manifest names, by the archives that they are
// in.
func (s *suite) imagesIn(manifest string) map[string]string {
	found := map[string]string{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		var deployment appsv1.Deployment
		err := decoder.Decode(&deployment)
		if errors.Is(err, io.EOF) {
			break
		}
		s.must(err)
		if deployment.Kind != "Deployment" {
			continue
		}
		for _, container := range deployment.Spec.Template.Spec.Containers {
			found["manager.tar"] = container.Image
			for _, variable := range container.Env {
				if variable.Name == "AUTH_SERVER_IMAGE" {
					found["authserver.tar"] = variable.Value
				}
			}
		}
	}
	return found
}

func (s *suite) discovery() discovery.DiscoveryInterface {
	clients, err := discovery.NewDiscoveryClientForConfig(s.cluster.Config)
	s.must(err)
	return clients
}
