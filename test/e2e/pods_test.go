//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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

// awaitNewPod waits until a Deployment runs in one pod, which is Ready and none of
// the old ones.
func (s *scenario) awaitNewPod(namespace, instance string, old []string) {
	s.Helper()
	s.await("a new pod is Ready, and no other runs", func() error {
		pods := s.pods(namespace, instance)
		switch {
		case len(pods) != 1:
			return fmt.Errorf("there are %d pods", len(pods))
		case slices.Contains(old, string(pods[0].UID)):
			return errors.New("the old pod runs")
		case !ready(pods[0]):
			return errors.New("the new pod is not Ready")
		default:
			return nil
		}
	})
}

func (s *scenario) awaitNoneEnding(namespace string) {
	s.Helper()
	s.await("no pod is ending", func() error {
		var list corev1.PodList
		if err := s.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, pod := range list.Items {
			if pod.DeletionTimestamp != nil {
				return fmt.Errorf("pod %s is ending", pod.Name)
			}
		}
		return nil
	})
}

// crashLooping returns a pod of a Deployment that is in CrashLoopBackOff. If
// there is none, the error has the phase of its pods.
func (s *scenario) crashLooping(namespace, instance string) (string, error) {
	err := errors.New("there is no pod")
	for _, pod := range s.pods(namespace, instance) {
		for _, container := range pod.Status.ContainerStatuses {
			if waiting := container.State.Waiting; waiting != nil && waiting.Reason == "CrashLoopBackOff" {
				return pod.Name, nil
			}
		}
		err = fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
	}
	return "", err
}

func (s *scenario) awaitCrashLoop(namespace, instance string) {
	s.Helper()
	s.await("a pod of "+instance+" is in CrashLoopBackOff", func() error {
		_, err := s.crashLooping(namespace, instance)
		return err
	})
}

// wantLog shows the end of the log of a crash-looping pod's previous attempt,
// which must contain the texts. The current attempt may not have logged anything
// yet.
func (s *scenario) wantLog(namespace, instance string, texts ...string) {
	s.Helper()
	var pod string
	s.await("a pod of "+instance+" waits for another try", func() (err error) {
		pod, err = s.crashLooping(namespace, instance)
		return err
	})
	log := s.kubectl(namespace, "logs", pod, "--previous", "--tail", "3")
	for _, text := range texts {
		if !strings.Contains(log, text) {
			s.Fatalf("the log does not say %s", text)
		}
	}
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

// revision returns the revision of a Deployment: how often it has rolled.
func (s *scenario) revision(namespace, name string) int {
	s.Helper()
	var deployment appsv1.Deployment
	s.must(s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &deployment))
	revision, err := strconv.Atoi(deployment.Annotations[revisionAnnotation])
	s.must(err)
	return revision
}

const discoveryPath = "/.well-known/oauth-authorization-server"

// askInterval is how often a client asks, each time on a new connection.
const askInterval = 20 * time.Millisecond

// get returns the answer of a Service, or an error if it is not a success.
func (s *scenario) get(url string) ([]byte, error) {
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
	var requests sync.WaitGroup
	var mutex sync.Mutex
	var asked int
	var failed []string
	once := func() {
		began := time.Now()
		_, err := s.get(url)
		mutex.Lock()
		defer mutex.Unlock()
		asked++
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s after %s: %v", began.Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), err))
		}
	}
	requests.Go(func() {
		ticker := time.NewTicker(askInterval)
		defer ticker.Stop()
		for {
			select {
			case <-asking.Done():
				return
			case <-ticker.C:
				// A slow answer must not keep the next request waiting.
				requests.Go(once)
			}
		}
	})
	return func(when string) {
		s.Helper()
		cancel()
		requests.Wait()
		if asked == 0 || len(failed) > 0 {
			s.Fatalf("%s %d of %d requests failed: %v", when, len(failed), asked, failed)
		}
		s.say("%s all %d requests at the Service were answered.", when, asked)
	}
}

// discover asks the auth server of a consumer for its scopes.
func (s *scenario) discover(namespace, consumer string) []string {
	s.Helper()
	var document struct {
		Scopes []string `json:"scopes_supported"`
	}
	url := serviceURL(namespace, consumer) + discoveryPath
	s.awaitAnswer(url, "")
	answer, err := s.get(url)
	s.must(err)
	show("curl "+url, string(answer))
	s.must(json.Unmarshal(answer, &document))
	return document.Scopes
}

// register registers a client, and returns its scopes.
func (s *scenario) register(namespace, consumer, scope string) string {
	s.Helper()
	url := serviceURL(namespace, consumer) + "/oauth/register"
	body := fmt.Sprintf(`{"client_name": "e2e", "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none", "scope": %q}`, scope)
	response, err := s.http.Post(url, "application/json", strings.NewReader(body)) //nolint:noctx // It is bounded by the client's timeout.
	s.must(err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	s.must(err)
	show("curl --header 'Content-Type: application/json' --data '"+body+"' "+url, string(answer))
	var registered struct {
		Scope string `json:"scope"`
	}
	if response.StatusCode >= http.StatusBadRequest {
		s.Fatalf("registering a client: %s", response.Status)
	}
	s.must(json.Unmarshal(answer, &registered))
	return registered.Scope
}

// serviceURL returns the URL of a consumer's Service in standalone mode.
func serviceURL(namespace, consumer string) string {
	return fmt.Sprintf("http://%s.%s:8080", child(namespace, consumer), namespace)
}
