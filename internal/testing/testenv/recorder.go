package testenv

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/scopegate/scopegate/internal/rollout"
)

// Recorder watches every Deployment and ReplicaSet of a control plane, and
// records each one that ever had a run config with which an auth server refuses
// to start.
type Recorder struct {
	stop context.CancelFunc

	mu         sync.Mutex
	seen       int
	violations []string
	// generations are the last generations seen. Each is a revision.
	generations map[types.UID]int64
}

// Record starts a recorder. When it returns, the recorder has seen all existing
// objects.
func Record(ctx context.Context, cfg *rest.Config) (*Recorder, error) {
	clientset, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("watching rollouts: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	recorder := &Recorder{stop: stop, generations: map[types.UID]int64{}}
	factory := informers.NewSharedInformerFactory(clientset, 0)
	handler := cache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    recorder.observe,
		UpdateFunc: func(_, updated any) { recorder.observe(updated, false) },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Apps().V1().Deployments().Informer(), factory.Apps().V1().ReplicaSets().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			stop()
			return nil, fmt.Errorf("watching rollouts: %w", err)
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return recorder, nil
}

// Stop stops the recorder and returns its violations.
func (r *Recorder) Stop() []string {
	r.stop()
	return r.Violations()
}

// Violations returns the violations so far, one line each.
func (r *Recorder) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.violations)
}

// Seen returns the number of revisions with a run config that were checked.
func (r *Recorder) Seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

func (r *Recorder) observe(object any, existed bool) {
	switch object := object.(type) {
	case *appsv1.Deployment:
		name := fmt.Sprintf("Deployment %s/%s", object.Namespace, object.Name)
		r.follow(name, object, existed)
		r.check(name, object.Spec.Template)
	case *appsv1.ReplicaSet:
		name := fmt.Sprintf("ReplicaSet %s/%s", object.Namespace, object.Name)
		r.follow(name, object, existed)
		r.check(name, object.Spec.Template)
	}
}

// follow reports missed revisions: the recorder must see every generation of an
// object that was created after its start.
func (r *Recorder) follow(name string, object metav1.Object, existed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.generations[object.GetUID()]
	if generation := object.GetGeneration(); (known || !existed) && generation > last+1 {
		r.violations = append(r.violations, fmt.Sprintf("%s: the recorder missed revisions between generations %d and %d", name, last, generation))
	}
	r.generations[object.GetUID()] = object.GetGeneration()
}

func (r *Recorder) check(name string, template corev1.PodTemplateSpec) {
	refusal, carries := Refusal(template)
	if !carries {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	if refusal != "" {
		r.violations = append(r.violations, name+": "+refusal)
	}
}

// Refusal returns why an auth server would refuse the run config in a template,
// "" if it would not. carries is false if there is no run config. It does not use
// the code under test.
func Refusal(template corev1.PodTemplateSpec) (refusal string, carries bool) {
	text, carries := template.Annotations[rollout.RunConfigAnnotation]
	if !carries {
		return "", false
	}
	return refusalOf(text), true
}

func refusalOf(text string) string {
	var config struct {
		Supported []string `json:"scopes_supported"`
		Baseline  []string `json:"baseline_client_scopes"`
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err.Error()
	}
	if len(config.Supported) == 0 {
		return "scopes_supported is empty"
	}
	supported := map[string]bool{}
	for _, scope := range config.Supported {
		supported[scope] = true
	}
	for _, scope := range config.Baseline {
		if !supported[scope] {
			return fmt.Sprintf("baseline_client_scopes has %q, which is not in scopes_supported", scope)
		}
	}
	return ""
}
