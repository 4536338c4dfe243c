//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/guard"
)

// race rolls out mistakes, one round after the other, while nothing waits for the
// condition: ToolHive's operator and two controllers of Kubernetes have to be slower
// than the guard's manager. It counts the pods that are created all the same.
func race(s *scenario) {
	s.mode(guard.ModeEnforce)
	created := s.watchPods()
	known := created()
	bad, rollouts := map[types.UID]string{}, 0
	for round := range *rounds {
		scope := fmt.Sprintf("calendar.round%d", round)
		edited := workloads
		repairs := []func(){
			func() { s.baseline("openid", "offline_access") },
			func() { s.merge(office, virtualBaseline("openid")) },
		}
		if round%5 == 4 {
			edited = workloads[:2]
			s.scopes(`["openid","`+scope+`"]`, `["openid","`+scope+`"]`)
			repairs = []func(){func() { s.scopes(`["openid","profile","offline_access"]`, "null") }}
		} else {
			s.slip("openid", scope)
			s.baseline("openid", "offline_access", scope)
		}
		rollouts += len(edited)
		s.await(fmt.Sprintf("round %d: %d workloads are refused their pods", round, len(edited)), func() error {
			for _, w := range edited {
				if err := s.refused(w, scope); err != nil && len(created()) == len(known) {
					return err
				}
			}
			return nil
		})
		maps.Copy(bad, created())
		maps.DeleteFunc(bad, func(uid types.UID, _ string) bool { return known[uid] != "" })
		for _, repair := range repairs {
			repair()
		}
		s.awaitRolled(false, edited...)
		known = created()
	}
	s.say("%d bad rollouts: %d pods were created", rollouts, len(bad))
	if len(bad) > 0 {
		s.Errorf("pods were created: %v", slices.Collect(maps.Values(bad)))
	}
}

func (s *scenario) baseline(scopes ...string) {
	s.Helper()
	s.merge(auth, fmt.Sprintf(`{"spec":{"embeddedAuthServer":{"baselineClientScopes":["%s"]}}}`, strings.Join(scopes, `","`)))
}

// scopes edits the scopes of weather and tickets.
func (s *scenario) scopes(ofWeather, ofTickets string) {
	s.Helper()
	const change = `{"spec":{"oidcConfigRef":{"scopes":%s}}}`
	s.merge(weather, fmt.Sprintf(change, ofWeather))
	s.merge(tickets, fmt.Sprintf(change, ofTickets))
}

// watchPods returns a function that returns every pod of the workloads' Deployments
// that was ever there, by its UID.
func (s *scenario) watchPods() func() map[types.UID]string {
	s.Helper()
	ofWorkloads := []client.ListOption{client.InNamespace(demo), client.MatchingLabels{"toolhive": "true"}, client.HasLabels{"pod-template-hash"}}
	watcher, err := s.client.Watch(ctx, &corev1.PodList{}, ofWorkloads...)
	s.must(err)
	s.Cleanup(watcher.Stop)
	var mutex sync.Mutex
	seen := map[types.UID]string{}
	go func() {
		for event := range watcher.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				mutex.Lock()
				seen[pod.UID] = pod.Name
				mutex.Unlock()
			}
		}
	}()
	return func() map[types.UID]string {
		var pods corev1.PodList
		s.must(s.client.List(ctx, &pods, ofWorkloads...))
		mutex.Lock()
		defer mutex.Unlock()
		for _, pod := range pods.Items {
			seen[pod.UID] = pod.Name
		}
		return maps.Clone(seen)
	}
}
