package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hold makes a bad edit and counts what it costs while the lock holds it.
func (b *bench) hold(ctx context.Context, e edit, duration time.Duration) (ok bool, err error) {
	before := map[string]sight{}
	for _, w := range workloads {
		if before[w.name], err = b.look(ctx, w); err != nil {
			return false, err
		}
	}
	costs, err := b.during(ctx, duration, func() error {
		if e.name == atRest {
			return nil
		}
		return b.apply(ctx, e, b.next())
	})
	if err != nil {
		return false, err
	}
	ok = true
	for _, w := range workloads {
		after, err := b.look(ctx, w)
		if err != nil {
			return false, err
		}
		same := after.data == before[w.name].data && equality.Semantic.DeepEqual(after.template.Spec, before[w.name].template.Spec) && after.generation == before[w.name].generation
		pods := maps.Equal(after.pods, before[w.name].pods) && len(after.pods) == 1
		cost := costs[w.kind]
		per := func(n float64) float64 { return n / duration.Minutes() }
		fmt.Printf("%-24s %-16s %8.2f %8.2f %8.2f %8.2f %8v %8v\n", e.name, w.kind, per(cost.failed), per(cost.requeued), per(cost.requests), per(cost.stored), after.held, same && pods)
		if e.name == atRest {
			b.rest[w.kind] = per(cost.stored)
			continue
		}
		ok = ok && after.held && same && pods && per(cost.failed) < limit && per(cost.stored)-b.rest[w.kind] < limit
	}
	if e.name == atRest {
		return true, nil
	}
	begin := time.Now()
	if err := b.repair(ctx); err != nil {
		return false, err
	}
	fmt.Printf("%-24s all run from the repaired config after %.1f s\n", e.name, time.Since(begin).Seconds())
	return ok, nil
}

func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(duration):
		return nil
	}
}

// race edits the environment and the baseline at once, over and over: a
// Deployment slips through if the API server's cache does not have the held
// ConfigMap when ToolHive's operator writes it, milliseconds later.
func (b *bench) race(ctx context.Context, rounds int) (slipped int, err error) {
	for range rounds {
		before := map[string]sight{}
		for _, w := range workloads {
			if before[w.name], err = b.look(ctx, w); err != nil {
				return slipped, err
			}
		}
		if err := b.apply(ctx, edits[2], b.next()); err != nil {
			return slipped, err
		}
		err := poll(ctx, "all workloads to be held", time.Minute, func() (bool, error) {
			for _, w := range workloads {
				if s, err := b.look(ctx, w); err != nil || !s.held {
					return false, err
				}
			}
			return true, nil
		})
		if err != nil {
			return slipped, err
		}
		// The Deployment is written right after.
		if err := sleep(ctx, time.Second); err != nil {
			return slipped, err
		}
		for _, w := range workloads {
			after, err := b.look(ctx, w)
			if err != nil {
				return slipped, err
			}
			if !equality.Semantic.DeepEqual(after.template.Spec, before[w.name].template.Spec) {
				slipped++
				fmt.Printf("%s slipped through\n", w.kind)
			}
		}
		if err := b.repair(ctx); err != nil {
			return slipped, err
		}
	}
	return slipped, nil
}

// cost is what one kind costs: reconciles that failed and that were put off,
// requests to write a status, and those that changed something of the object.
type cost struct{ failed, requeued, requests, stored float64 }

// during counts what an edit costs for a while, the edit itself included.
func (b *bench) during(ctx context.Context, duration time.Duration, edit func() error) (map[string]cost, error) {
	start, err := b.count(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stored := map[string]*atomic.Int64{}
	for _, w := range workloads {
		stored[w.kind] = &atomic.Int64{}
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("toolhive.stacklok.dev/v1beta1")
		list.SetKind(w.kind + "List")
		changes, err := b.Watch(ctx, list, client.InNamespace(namespace), client.MatchingFields{"metadata.name": w.name})
		if err != nil {
			return nil, err
		}
		go func() {
			for event := range changes.ResultChan() {
				if event.Type == watch.Modified {
					stored[w.kind].Add(1)
				}
			}
		}()
	}
	if err := edit(); err != nil {
		return nil, err
	}
	if err := sleep(ctx, duration); err != nil {
		return nil, err
	}
	end, err := b.count(ctx)
	if err != nil {
		return nil, err
	}
	costs := map[string]cost{}
	for _, w := range workloads {
		s, e := start[w.kind], end[w.kind]
		costs[w.kind] = cost{e.failed - s.failed, e.requeued - s.requeued, e.requests - s.requests, float64(stored[w.kind].Load())}
	}
	return costs, nil
}

// count reads the reconciles from the operator's metrics and the writes of
// statuses from the API server's: all of a kind, by whomever.
func (b *bench) count(ctx context.Context) (map[string]cost, error) {
	pods, err := b.clientset.CoreV1().Pods("toolhive-system").List(ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) != 1 {
		return nil, fmt.Errorf("looking for the operator's pod: %d pods, %w", len(pods.Items), err)
	}
	reconciles, err := b.samples(ctx, "/api/v1/namespaces/toolhive-system/pods/"+pods.Items[0].Name+":8080/proxy/metrics", "controller_runtime_reconcile_total")
	if err != nil {
		return nil, err
	}
	requests, err := b.samples(ctx, "/metrics", "apiserver_request_total")
	if err != nil {
		return nil, err
	}
	costs := map[string]cost{}
	for _, w := range workloads {
		costs[w.kind] = cost{
			failed:   sum(reconciles, map[string]string{"controller": w.controller, "result": "error"}),
			requeued: sum(reconciles, map[string]string{"controller": w.controller, "result": "requeue"}),
			requests: sum(requests, map[string]string{"resource": w.resource, "subresource": "status", "verb": "PUT"}) +
				sum(requests, map[string]string{"resource": w.resource, "subresource": "status", "verb": "PATCH"}) +
				sum(requests, map[string]string{"resource": w.resource, "subresource": "status", "verb": "APPLY"}),
		}
	}
	return costs, nil
}

// sample is one series of a metric.
type sample struct {
	labels map[string]string
	value  float64
}

func (b *bench) samples(ctx context.Context, path, metric string) ([]sample, error) {
	text, err := b.clientset.RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	var samples []sample
	for _, series := range families[metric].GetMetric() {
		labels := map[string]string{}
		for _, label := range series.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		samples = append(samples, sample{labels, series.GetCounter().GetValue()})
	}
	return samples, nil
}

func sum(samples []sample, labels map[string]string) float64 {
	total := 0.0
	for _, s := range samples {
		matches := true
		for name, value := range labels {
			matches = matches && s.labels[name] == value
		}
		if matches {
			total += s.value
		}
	}
	return total
}

func splitDocuments(text []byte) [][]byte {
	var documents [][]byte
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		documents = append(documents, []byte(document))
	}
	return documents
}
