//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (s *scenario) pods(namespace, instance string) []corev1.Pod {
	s.Helper()
	var list corev1.PodList
	// The MCP server behind a proxy of ToolHive's has a pod of a StatefulSet.
	s.must(s.client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/instance": instance}, client.HasLabels{appsv1.DefaultDeploymentUniqueLabelKey}))
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

// uids returns the UIDs of pods, in order.
func uids(pods []corev1.Pod) []string {
	var uids []string
	for _, pod := range pods {
		uids = append(uids, string(pod.UID))
	}
	slices.Sort(uids)
	return uids
}

func ready(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// awaitCrashLoop waits until a pod of a workload is in CrashLoopBackOff, and returns its
// name.
func (s *scenario) awaitCrashLoop(w workload) (name string) {
	s.Helper()
	s.await("a pod of "+w.name+" is in CrashLoopBackOff", func() error {
		err := errors.New("there is no pod")
		for _, pod := range s.pods(demo, w.name) {
			for _, container := range pod.Status.ContainerStatuses {
				if waiting := container.State.Waiting; waiting != nil && waiting.Reason == "CrashLoopBackOff" {
					name = pod.Name
					return nil
				}
			}
			err = fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
		}
		return err
	})
	return name
}

const discoveryPath = "/.well-known/oauth-authorization-server"

// askInterval is how often a client asks, each time on a new connection.
const askInterval = 20 * time.Millisecond

// get returns the answer of a Service, or an error if it is not a success.
func (s *scenario) get(url string) ([]byte, error) {
	if s.http == nil {
		// From outside, the way is through the API server.
		to, err := neturl.Parse(url)
		if err != nil {
			return nil, err
		}
		service, namespace, _ := strings.Cut(to.Hostname(), ".")
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return s.clientset.CoreV1().Services(namespace).ProxyGet("http", service, to.Port(), to.Path, nil).DoRaw(ctx)
	}
	response, err := s.http.Get(url) //nolint:noctx // It is bounded by the client's timeout.
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}

// awaitAnswer waits until a Service leads to a pod, and the answer contains a
// text: kube-proxy learns of a pod that is Ready, or ends, up to a second later.
func (s *scenario) awaitAnswer(url, text string) {
	s.Helper()
	s.await("the Service answers", func() error {
		answer, err := s.get(url)
		if err == nil && !strings.Contains(string(answer), text) {
			err = fmt.Errorf("the document is %s", answer)
		}
		return err
	})
}

// ask starts a client that asks a Service continuously until stop is called. stop
// fails the test unless every request was answered.
func (s *scenario) ask(url string) (stop func(when string)) {
	s.Helper()
	s.awaitAnswer(url, "")
	asking, cancel := context.WithCancel(ctx)
	var requests errgroup.Group
	asked := 0
	requests.Go(func() error {
		for tick := time.Tick(askInterval); ; {
			select {
			case <-asking.Done():
				return nil
			case <-tick:
			}
			asked++
			// A slow answer must not keep the next request waiting.
			requests.Go(func() error {
				began := time.Now()
				_, err := s.get(url)
				if err != nil {
					err = fmt.Errorf("that of %s, after %s: %w", began.Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), err)
				}
				return err
			})
		}
	})
	return func(when string) {
		s.Helper()
		cancel()
		if err := requests.Wait(); err != nil || asked == 0 {
			s.Fatalf("%s not all of %d requests were answered: %v", when, asked, err)
		}
		s.say("%s all %d requests at the Service were answered.", when, asked)
	}
}
