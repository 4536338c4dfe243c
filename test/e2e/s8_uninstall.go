package main

import (
	"slices"
	"strings"
)

// uninstall: the manifest takes away what it brought and what came of it, and
// leaves what the user made.
func uninstall(s *suite) {
	namespace := s.namespace("user")
	s.apply(namespace, "whole")
	s.awaitReady(namespace, "virtualmcpserver/office")

	s.say("A consumer takes its auth server with it.")
	s.kubectl("--namespace", namespace, "delete", "mcpserver/mail")
	// Also a sign that Kubernetes' garbage collector knows the new kinds by now: if
	// they went before it did, it could not tell that an owner is gone.
	s.await("what was made for it is gone", func() string {
		if sets := s.replicaSets(namespace, "mcpserver/mail"); len(sets) > 0 {
			return sets[0] + " is there"
		}
		return ""
	})

	s.say("The manifest is deleted, with the CRDs and every object of theirs.")
	s.kubectl("delete", "--filename", s.manifestFile(s.manifest()), "--wait", "--timeout", "2m")
	var left []string
	s.await("nothing is left but what the user made", func() string {
		left = nil
		found, err := s.tryEverything()
		if err != nil {
			return err.Error()
		}
		for object := range found {
			if !s.before[object] && !s.ofUser(object) {
				left = append(left, object)
			}
		}
		slices.Sort(left)
		return strings.Join(left, ", ")
	})
	s.kubectl("get", "deployments,replicasets,pods,services,secrets", "--all-namespaces")
	if !s.everything()["Secret "+namespace+"/idp-client"] {
		s.fail("the user's Secret is gone")
	}
}

// ofUser tells whether the user made an object, or Kubernetes for itself or for
// a namespace of the user's.
func (s *suite) ofUser(object string) bool {
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
