package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrl "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/test/e2e/node"
)

// awaitTimeout bounds each wait: a pod that is Ready only after two minutes is a
// failure.
const awaitTimeout = 2 * time.Minute

// suite is what the scenarios share.
type suite struct {
	ctx     context.Context //nolint:containedctx // It is the run's, and every step's.
	cluster *node.Cluster
	admin   client.WithWatch
	options options
	// before is what the cluster had before anything was installed.
	before map[string]bool
	// hasToolHive is true when ToolHive's operator runs.
	hasToolHive bool
}

// failure is what a step panics with, so that a scenario reads as its steps.
type failure struct{ message string }

func newSuite(ctx context.Context, cluster *node.Cluster, options options) (*suite, error) {
	ctrl.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config := rest.CopyConfig(cluster.Config)
	// Everything is listed, what is deprecated too.
	config.WarningHandler = rest.NoWarnings{}
	admin, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &suite{ctx: ctx, cluster: cluster, admin: admin, options: options}, nil
}

// runAll runs scenarios until one fails, and says how long each took.
func (s *suite) runAll(chosen []scenario) error {
	for i, scenario := range chosen {
		begin := time.Now()
		fmt.Printf("\n=== %s\n", scenario.name)
		if err := s.runOne(scenario); err != nil {
			if s.ctx.Err() != nil {
				return fmt.Errorf("ended in scenario %s: %w", scenario.name, context.Cause(s.ctx))
			}
			s.diagnose()
			fmt.Printf("\n--- FAIL %s (%.1fs)\n%v\n\n%d passed, 1 failed\n", scenario.name, time.Since(begin).Seconds(), err, i)
			return fmt.Errorf("scenario %s failed: %w", scenario.name, err)
		}
		fmt.Printf("\n--- PASS %s (%.1fs)\n", scenario.name, time.Since(begin).Seconds())
	}
	fmt.Printf("\n%d passed, 0 failed\n", len(chosen))
	return nil
}

func (s *suite) runOne(scenario scenario) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			failed, ok := caught.(failure)
			if !ok {
				panic(caught)
			}
			err = fmt.Errorf("%s", failed.message)
		}
	}()
	scenario.run(s)
	return s.ctx.Err()
}

// diagnose shows what tells most about a failure.
func (s *suite) diagnose() {
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	// What cannot be shown is not there.
	_, _ = s.cluster.Kubectl(ctx, nil, "get", "pods", "--all-namespaces")
	_, _ = s.cluster.Kubectl(ctx, nil, "get", "events", "--all-namespaces", "--field-selector", "type=Warning")
	_, _ = s.cluster.Kubectl(ctx, nil, "--namespace", ownNamespace, "logs", "--selector", ownPods, "--tail", "20", "--prefix")
}

// fail ends the scenario.
func (s *suite) fail(format string, arguments ...any) {
	panic(failure{fmt.Sprintf(format, arguments...)})
}

func (s *suite) must(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// say tells what comes next.
func (s *suite) say(format string, arguments ...any) {
	fmt.Printf("\n# "+format+"\n", arguments...)
}

// kubectl runs a command that succeeds, shows it, and returns what it printed.
func (s *suite) kubectl(arguments ...string) string {
	output, err := s.cluster.Kubectl(s.ctx, nil, arguments...)
	s.must(err)
	return output
}

// apply applies a file of testdata in a namespace.
func (s *suite) apply(namespace string, files ...string) {
	arguments := []string{"--namespace", namespace, "apply"}
	for _, file := range files {
		arguments = append(arguments, "--filename", testdata(file))
	}
	s.kubectl(arguments...)
}

// applyChanged applies a file of testdata with something replaced in it.
func (s *suite) applyChanged(namespace, file, old, replaced string) {
	text, err := os.ReadFile(testdata(file))
	s.must(err)
	if !strings.Contains(string(text), old) {
		s.fail("%s has no %s", file, old)
	}
	s.say("%s, with %s in place of %s:", file, replaced, old)
	_, err = s.cluster.Kubectl(s.ctx, strings.NewReader(strings.ReplaceAll(string(text), old, replaced)),
		"--namespace", namespace, "apply", "--filename", "-")
	s.must(err)
}

// patch changes an object as a user's edit does.
func (s *suite) patch(namespace, object, change string) {
	s.kubectl("--namespace", namespace, "patch", object, "--type", "merge", "--patch", change)
}

// namespace makes a namespace whose pods must be as restricted as Kubernetes
// can ask for.
func (s *suite) namespace(name string) string {
	s.must(s.admin.Create(s.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}))
	return name
}

// await asks until the answer is empty: what is missing yet.
func (s *suite) await(what string, missing func() string) {
	begin := time.Now()
	for {
		answer := missing()
		if answer == "" {
			s.cluster.Timed(begin, what)
			return
		}
		if time.Since(begin) > awaitTimeout || s.ctx.Err() != nil {
			s.fail("waiting until %s: %s", what, answer)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// awaitCondition waits until a condition is as told, of the object as it is.
func (s *suite) awaitCondition(namespace, object, conditionType, want string) {
	s.await(object+" has "+conditionType+"="+want, func() string {
		got, err := s.condition(namespace, object, conditionType)
		switch {
		case err != nil:
			return err.Error()
		case got.generation != got.observed:
			return "the condition is of another generation"
		case got.status != want:
			return fmt.Sprintf("it is %s %s: %s", got.status, got.reason, got.message)
		default:
			return ""
		}
	})
}

// condition reads a condition by the path that a user would take.
func (s *suite) condition(namespace, object, conditionType string) (state, error) {
	kind, name, _ := strings.Cut(object, "/")
	return s.read(namespace, kind, name, conditionType)
}

// pods returns the pods of a consumer's Deployment that are not ending, by name.
func (s *suite) pods(namespace, instance string) map[string]corev1.Pod {
	var list corev1.PodList
	selector := client.MatchingLabels{"app.kubernetes.io/instance": instance}
	s.must(s.admin.List(s.ctx, &list, client.InNamespace(namespace), selector))
	pods := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			pods[pod.Name] = pod
		}
	}
	return pods
}

func (s *suite) awaitReady(namespace, consumer string) {
	s.awaitCondition(namespace, consumer, "Ready", "True")
}

// awaitRolledOut waits until the Deployment of a consumer runs its newest
// template alone.
func (s *suite) awaitRolledOut(namespace, consumer string) {
	s.kubectl("--namespace", namespace, "rollout", "status", "deployment/"+child(namespace, consumer), "--timeout", "2m")
	s.awaitReady(namespace, consumer)
}
