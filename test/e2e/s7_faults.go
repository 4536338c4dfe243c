package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
)

const edits = 100

// faults: whatever ends and starts again meanwhile, every condition ends right,
// and no pod was ever started with a run config that its auth server refuses.
func faults(s *suite) {
	const weather, tickets = "mcpserver/weather", "mcpremoteproxy/tickets"
	namespace := s.namespace("faults")
	beforehand, err := s.cluster.Revision(s.ctx)
	s.must(err)
	s.apply(namespace, "whole/10-shared.yaml", "whole/20-config.yaml", "whole/30-weather.yaml", "whole/40-tickets.yaml")
	s.awaitReady(namespace, weather)
	s.awaitReady(namespace, tickets)

	faults := map[int]func(){
		25: s.deleteLeader,
		50: func() { s.say("kube-apiserver is restarted."); s.must(s.cluster.RestartAPIServer(s.ctx)) },
		75: func() { s.say("kubelet is restarted."); s.must(s.cluster.RestartKubelet(s.ctx)) },
	}
	s.say("%d edits of the config, every second one to a baseline that weather has not.", edits)
	begin := time.Now()
	for i := range edits {
		if fault := faults[i]; fault != nil {
			fault()
		}
		s.edit(namespace, i)
	}
	s.cluster.Timed(begin, fmt.Sprintf("%d edits are made", edits))
	// The last edit is one that weather has not, and tickets has.
	s.awaitCondition(namespace, auth, "BaselineScopesValid", "False")
	s.awaitCondition(namespace, weather, "BaselineScopesValid", "False")
	s.awaitCondition(namespace, tickets, "BaselineScopesValid", "True")
	s.awaitRolledOut(namespace, tickets)
	s.showConditions(namespace, auth, weather, tickets)

	s.patch(namespace, auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid"]}}}`)
	for _, consumer := range []string{weather, tickets} {
		s.awaitCondition(namespace, consumer, "BaselineScopesValid", "True")
		s.awaitRolledOut(namespace, consumer)
	}
	s.awaitCondition(namespace, auth, "BaselineScopesValid", "True")
	s.kubectl("--namespace", namespace, "get", "toolhive,deployments,pods")
	s.kubectl("--namespace", ownNamespace, "get", "pods")
	s.showNoneRefused(namespace, beforehand)
}

// edit changes the baseline; odd edits to one that weather has not. It is tried
// again where the API server was away.
func (s *suite) edit(namespace string, i int) {
	baseline := []string{"openid", "profile"}
	if i%4 < 2 {
		baseline = baseline[:1]
	}
	if i%2 == 1 {
		baseline = append(baseline, "email")
	}
	change, err := json.Marshal(map[string]any{"spec": map[string]any{"embeddedAuthServer": map[string]any{"baselineClientScopes": baseline}}})
	s.must(err)
	config := &v1beta1.MCPExternalAuthConfig{}
	config.Namespace, config.Name = namespace, "auth"
	s.must(retry.OnError(wait.Backoff{Duration: 100 * time.Millisecond, Steps: int(awaitTimeout / (100 * time.Millisecond))}, func(error) bool { return true }, func() error {
		return s.admin.Patch(s.ctx, config, client.RawPatch(types.MergePatchType, change))
	}))
}

// deleteLeader deletes the pod that holds the lease, and waits for another to
// hold it.
func (s *suite) deleteLeader() {
	leader := s.leader()
	s.say("The leader's pod is deleted.")
	s.kubectl("--namespace", ownNamespace, "delete", "pod", leader, "--wait=false")
	s.await("another pod is the leader", func() string {
		if now := s.leader(); now == "" || now == leader {
			return "the leader is " + now
		}
		return ""
	})
}

// leader is the name of the pod that holds the lease.
func (s *suite) leader() string {
	var lease coordinationv1.Lease
	s.must(s.admin.Get(s.ctx, client.ObjectKey{Namespace: ownNamespace, Name: "scopegate.toolhive.stacklok.dev"}, &lease))
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	// The pod's name, _ and a UUID.
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name
}
