//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// uninstall: the manifest takes away what it brought and what came of it, and
// leaves what the user made.
func uninstall(s *scenario, before map[string]bool) {
	namespace := s.restricted("user")
	s.apply(namespace, "standalone")
	s.awaitConditions(namespace, "Ready", office)

	s.say("A consumer takes its auth server with it.")
	s.kubectl(namespace, "delete", mail)
	// Also a sign that Kubernetes' garbage collector knows the new kinds by now: if
	// they went before it did, it could not know that an owner is gone.
	s.kubectl(namespace, "wait", "--for=delete", "replicasets", "--selector", "app.kubernetes.io/instance="+child(namespace, mail), "--timeout", "2m")

	s.say("The manifest is deleted, with the CRDs and every object of theirs.")
	s.kubectl("", "delete", "--filename", standaloneManifest, "--wait", "--timeout", "2m")
	var left map[string]bool
	s.await("nothing is left but what the user made", func() (err error) {
		if left, err = s.everything(); err != nil {
			return err
		}
		var ours []string
		for object := range left {
			if !before[object] && !ofUser(object) {
				ours = append(ours, object)
			}
		}
		if slices.Sort(ours); len(ours) > 0 {
			err = errors.New(strings.Join(ours, ", "))
		}
		return err
	})
	s.kubectl("", "get", "deployments,replicasets,pods,services,secrets", "--all-namespaces")
	if !left["Secret "+namespace+"/idp-client"] {
		s.Fatal("the user's Secret is gone")
	}
}

// everything lists every object of the cluster that stays unless somebody deletes
// it, as KIND NAMESPACE/NAME.
func (s *scenario) everything() (map[string]bool, error) {
	listed, err := s.run(ctx, nil, "api-resources", "--verbs", "list", "--output", "name")
	if err != nil {
		return nil, err
	}
	resources := slices.DeleteFunc(strings.Fields(listed), func(resource string) bool {
		return strings.HasPrefix(resource, "events") || resource == "componentstatuses" || strings.HasSuffix(resource, ".metrics.k8s.io")
	})
	output, err := s.run(ctx, nil, "get", strings.Join(resources, ","), "--all-namespaces", "--no-headers",
		"--output", "custom-columns=:.kind,:.metadata.namespace,:.metadata.name")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for line := range strings.Lines(output) {
		if fields := strings.Fields(line); len(fields) == 3 {
			found[fmt.Sprintf("%s %s/%s", fields[0], strings.TrimPrefix(fields[1], "<none>"), fields[2])] = true
		}
	}
	return found, nil
}

// ofUser reports whether the user made an object, or Kubernetes for itself or for
// a namespace of the user's.
func ofUser(object string) bool {
	kind, name, _ := strings.Cut(object, " ")
	namespace, name, _ := strings.Cut(name, "/")
	switch kind {
	case "Namespace":
		return name != ownNamespace
	case "Secret":
		return name == "idp-client"
	case "ServiceAccount":
		return name == "default" && namespace != ownNamespace || namespace == "kube-system"
	case "Lease":
		return namespace == "kube-system" || namespace == "kube-node-lease"
	case "ClusterTrustBundle":
		return strings.HasPrefix(name, "kubernetes.io:")
	case "ConfigMap":
		return name == "kube-root-ca.crt" && namespace != ownNamespace
	default:
		return false
	}
}
