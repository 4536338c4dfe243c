package main

import (
	"fmt"
	"slices"
)

// sharedConfig: an edit of a config that several consumers share rolls those
// whose auth server accepts it, and no other.
func sharedConfig(s *suite) {
	const weather, tickets, mail, office = "mcpserver/weather", "mcpremoteproxy/tickets", "mcpserver/mail", "virtualmcpserver/office"
	all := []string{weather, tickets, mail, office}
	namespace := s.namespace("shared")
	s.apply(namespace, "whole")
	for _, consumer := range all {
		s.awaitReady(namespace, consumer)
	}
	before := map[string][]string{}
	for _, consumer := range all {
		before[consumer] = s.replicaSets(namespace, consumer)
	}
	s.kubectl("--namespace", namespace, "get", "toolhive")

	s.say("email joins the baseline: tickets and mail have it, weather has not, and office has a config of its own.")
	s.patch(namespace, auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid","offline_access","email"]}}}`)
	s.awaitCondition(namespace, weather, "BaselineScopesValid", "False")
	for _, consumer := range []string{tickets, mail} {
		s.await(consumer+" has rolled", func() string {
			if now := s.replicaSets(namespace, consumer); len(now) != len(before[consumer])+1 {
				return fmt.Sprintf("its ReplicaSets are %v", now)
			}
			return ""
		})
		s.awaitRolledOut(namespace, consumer)
	}
	for _, consumer := range []string{weather, office} {
		if now := s.replicaSets(namespace, consumer); !slices.Equal(now, before[consumer]) {
			s.fail("%s has the ReplicaSets %v, and had %v", consumer, now, before[consumer])
		}
	}
	s.kubectl("--namespace", namespace, "get", "toolhive")
	s.kubectl("--namespace", namespace, "get", "replicasets,pods")
	s.showConditions(namespace, auth)
}
