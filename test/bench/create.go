package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/controlplane"
	"github.com/scopegate/scopegate/internal/testing/sample"
	"github.com/scopegate/scopegate/test/e2e/chart"
)

const (
	// createsPerRound is the number of creates in each group in a round.
	createsPerRound = 700
	// warmUps is the number of first creates that are not counted. The API
	// server compiles during them.
	warmUps = 50
)

// The groups on one API server that have the same kinds.
const (
	// ours has scopegate's CRDs.
	ours = "toolhive.stacklok.dev"
	// toolHives has ToolHive's CRDs, of the release that the auth server is
	// built from.
	toolHives = "toolhive.bench.scopegate.dev"
)

// createBench is P1. It compares the create of each kind on scopegate's CRDs with
// the create on ToolHive's CRDs.
func createBench(ctx context.Context) {
	plane, admin := startPlane(ctx, controlplane.Options{})
	defer stop(plane.Stop)
	crds := must(config.CRDs())
	theirs := toolHiveCRDs()
	result := newTable("P1: create on scopegate's CRDs / on ToolHive's", "measured", "target")
	for _, object := range []client.Object{
		sample.Config(namespace, "", "openid", "profile"),
		sample.Virtual(namespace, "", sample.AuthServer("openid", "profile"), "openid", "profile", "email"),
		sample.Server(namespace, "", sample.AuthServerRef("auth", "openid", "profile")),
	} {
		gvk := must(apiutil.GVKForObject(object, operator.Scheme))
		own, other := ofKind(crds, gvk.Kind), regroup(ofKind(theirs, gvk.Kind), toolHives)
		must(envtest.InstallCRDs(plane.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{other}}))
		count := createsPerRound * rounds
		progress("%s: creating %d objects in each group", gvk.Kind, count)
		took := creates(ctx, admin, object, count, ours, toolHives)
		of := fmt.Sprintf("%s, %d rules / %d", gvk.Kind, ruleCount(own), ruleCount(other))
		for _, share := range []struct {
			name   string
			at     float64
			target string
		}{{"median", 0.5, "<= 1.00"}, {"99th percentile", 0.99, "<= 1.02"}} {
			a, b := percentile(took[ours], share.at), percentile(took[toolHives], share.at)
			result.row(of+", "+share.name, fmt.Sprintf("%.3f (%.2f / %.2f ms)", a/b, a, b), share.target)
		}
	}
	result.print()
}

// creates makes count objects in each group, in turn, and returns how long each create
// took.
func creates(ctx context.Context, c client.Client, like client.Object, count int, groups ...string) took {
	objects := map[string]*unstructured.Unstructured{}
	for _, group := range groups {
		objects[group] = inGroup(like, group)
	}
	return inTurn(groups, count, func(group string, _ int) error { return c.Create(ctx, objects[group].DeepCopy()) })
}

func inGroup(like client.Object, group string) *unstructured.Unstructured {
	object := sample.Unstructured(like)
	object.SetAPIVersion(group + "/" + v1beta1.GroupVersion.Version)
	object.SetGenerateName("bench-")
	return object
}

// toolHiveCRDs returns the CRDs of the release of ToolHive that the auth server is built
// from.
func toolHiveCRDs() []*apiextensionsv1.CustomResourceDefinition {
	read := &envtest.CRDInstallOptions{Paths: []string{must(chart.CRDs("."))}}
	check(envtest.ReadCRDFiles(read))
	return read.CRDs
}

func ofKind(crds []*apiextensionsv1.CustomResourceDefinition, kind string) *apiextensionsv1.CustomResourceDefinition {
	for _, crd := range crds {
		if crd.Spec.Names.Kind == kind {
			return crd
		}
	}
	panic("there is no CRD of kind " + kind)
}

// regroup returns a CRD for another group.
func regroup(crd *apiextensionsv1.CustomResourceDefinition, group string) *apiextensionsv1.CustomResourceDefinition {
	changed := crd.DeepCopy()
	changed.Spec.Group = group
	changed.Name = changed.Spec.Names.Plural + "." + group
	changed.Spec.Names.ShortNames, changed.Spec.Names.Categories = nil, nil
	return changed
}

func ruleCount(crd *apiextensionsv1.CustomResourceDefinition) (count int) {
	version := crd.Spec.Versions[len(crd.Spec.Versions)-1]
	config.EachSchema(version.Schema.OpenAPIV3Schema.DeepCopy(), func(schema *apiextensionsv1.JSONSchemaProps) {
		count += len(schema.XValidations)
	})
	return count
}

// took is how long requests took, by where they were sent, in milliseconds.
type took map[string][]float64

// inTurn times a request at each place, in turn, count times each.
func inTurn(places []string, count int, request func(place string, i int) error) took {
	spent := took{}
	for i := range warmUps + count {
		// The first place of a turn waits for the processor more often.
		for turn := range places {
			place := places[(i+turn)%len(places)]
			begin := time.Now()
			check(request(place, i))
			if i >= warmUps {
				spent[place] = append(spent[place], time.Since(begin).Seconds()*1000)
			}
		}
	}
	return spent
}

func percentile(values []float64, at float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(at*float64(len(sorted)-1))]
}
