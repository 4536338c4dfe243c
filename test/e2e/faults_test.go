//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/testenv"
)

const edits = 100

// faults: every condition ends right, although the leader, the API server and
// kubelet restart meanwhile. No pod ever starts with a run config that its auth
// server refuses.
func faults(s *scenario) {
	if s.node == nil {
		s.Skip("it restarts kube-apiserver and kubelet, and reads the API server's audit log: it runs only on the cluster that the tests start themselves, with KUBECONFIG and CONTEXT unset")
	}
	namespace := s.restricted("faults")
	s.apply(namespace, "standalone/10-shared.yaml", "standalone/20-config.yaml", "standalone/30-weather.yaml", "standalone/40-tickets.yaml")
	s.awaitConditions(namespace, "Ready", weather, tickets)

	faults := map[int]func(){
		25: s.deleteLeader,
		50: func() { s.say("kube-apiserver is restarted."); s.must(s.node.RestartAPIServer(ctx)) },
		75: func() { s.say("kubelet is restarted."); s.must(s.node.RestartKubelet(ctx)) },
	}
	s.say("%d edits of the config, every second one to a baseline that weather has not.", edits)
	begin := time.Now()
	for i := range edits {
		if fault := faults[i]; fault != nil {
			fault()
		}
		s.edit(namespace, i)
	}
	timed(begin, fmt.Sprintf("%d edits are made", edits))
	// The last baseline is supported by tickets, and not by weather.
	s.awaitConditions(namespace, "BaselineScopesValid=False", auth, weather)
	s.awaitConditions(namespace, "BaselineScopesValid=True", tickets)
	s.awaitRolledOut(namespace, tickets)
	s.showConditions(namespace, auth, weather, tickets)

	s.patch(namespace, auth, `{"spec":{"embeddedAuthServer":{"baselineClientScopes":["openid"]}}}`)
	s.awaitConditions(namespace, "BaselineScopesValid=True", auth, weather, tickets)
	s.awaitRolledOut(namespace, weather)
	s.awaitRolledOut(namespace, tickets)
	s.kubectl(namespace, "get", "toolhive,deployments,pods")
	s.kubectl(ownNamespace, "get", "pods")
	s.wantNoneRefused(namespace)
}

// edit changes the baseline. Odd edits set one that weather does not support.
// It retries while the API server is away.
func (s *scenario) edit(namespace string, i int) {
	baseline := []string{"openid", "profile"}
	if i%4 < 2 {
		baseline = baseline[:1]
	}
	if i%2 == 1 {
		baseline = append(baseline, "email")
	}
	change, err := json.Marshal(map[string]any{"spec": map[string]any{"embeddedAuthServer": map[string]any{"baselineClientScopes": baseline}}})
	s.must(err)
	config := &v1beta1.MCPExternalAuthConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "auth"}}
	for begin := time.Now(); ; {
		err := s.client.Patch(ctx, config, client.RawPatch(types.MergePatchType, change))
		if err == nil {
			return
		}
		if time.Since(begin) > awaitTimeout || ctx.Err() != nil {
			s.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// deleteLeader deletes the pod that holds the lease, and waits for another to
// hold it.
func (s *scenario) deleteLeader() {
	leader := s.leader()
	s.say("The leader's pod is deleted.")
	s.kubectl(ownNamespace, "delete", "pod", leader, "--wait=false")
	s.await("another pod is the leader", func() error {
		if now := s.leader(); now == "" || now == leader {
			return errors.New("the leader is " + now)
		}
		return nil
	})
}

// leader returns the name of the pod that holds the lease.
func (s *scenario) leader() string {
	var lease coordinationv1.Lease
	s.must(s.client.Get(ctx, client.ObjectKey{Namespace: ownNamespace, Name: operator.StandaloneLease}, &lease))
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	// The pod's name, _ and a UUID.
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return name
}

// wantNoneRefused checks that no Deployment or ReplicaSet of a namespace ever had a
// run config that an auth server refuses, by the API server's audit log.
func (s *scenario) wantNoneRefused(namespace string) {
	s.Helper()
	log, err := os.Open(s.node.AuditLog)
	s.must(err)
	defer func() { _ = log.Close() }()
	writes := 0
	generations := map[types.UID][]int64{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event auditv1.Event
		s.must(json.Unmarshal(lines.Bytes(), &event))
		if event.ObjectRef.Namespace != namespace || event.ResponseStatus.Code >= 300 {
			continue
		}
		// The object is a Deployment or a ReplicaSet.
		var object struct {
			metav1.ObjectMeta `json:"metadata"`
			Spec              struct{ Template corev1.PodTemplateSpec }
		}
		s.must(json.Unmarshal(event.ResponseObject.Raw, &object))
		if !slices.Contains(generations[object.UID], object.Generation) {
			generations[object.UID] = append(generations[object.UID], object.Generation)
		}
		refusal, carries := testenv.Refusal(object.Spec.Template)
		if carries {
			writes++
		}
		if refusal != "" {
			s.Errorf("generation %d of %s %s: %s", object.Generation, event.ObjectRef.Resource, object.Name, refusal)
		}
	}
	s.must(lines.Err())
	var deployments appsv1.DeploymentList
	s.must(s.client.List(ctx, &deployments, client.InNamespace(namespace)))
	for _, deployment := range deployments.Items {
		if got := len(generations[deployment.UID]); int64(got) != deployment.Generation {
			s.Errorf("the audit log has %d of %d generations of Deployment %s", got, deployment.Generation, deployment.Name)
		}
	}
	if writes == 0 || len(deployments.Items) == 0 {
		s.Error("the audit log has no run config")
	}
	s.say("Of %d writes of Deployments and ReplicaSets, none has a run config that its auth server refuses.", writes)
}
