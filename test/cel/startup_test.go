package cel_test

import (
	"maps"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/config"
	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/testing/corpus"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/mistakes"
	"github.com/scopegate/scopegate/test/guard/setup"
)

// TestStartUpPolicy installs the policy on start-up beside scopegate's own CRDs, as
// an installation of standalone mode can. In a namespace in mode enforce, the API
// server must reject every mistake that the policy finds. In one without a mode, it
// must admit those on which the CRDs have no rule; the gate holds their rollout.
func TestStartUpPolicy(t *testing.T) {
	quiet := cluster.WithoutWarnings(t)
	objects, err := config.Objects("guard/start-up")
	expect.NoError(t, err)
	for _, object := range objects {
		cluster.Create(t, object)
		defer cluster.Delete(t, object)
	}
	byMode := map[string]string{}
	for _, mode := range []string{"", guard.ModeEnforce} {
		namespace, err := setup.Namespace(t.Context(), cluster.Client, mode)
		expect.NoError(t, err)
		byMode[mode] = namespace
	}
	create := func(mode, kind, version string, c mistakes.Case) error {
		return quiet.Create(t.Context(), corpus.As(c.Object(t, kind, "", ""), version, byMode[mode], "login"), client.DryRunAll)
	}
	cases, byPolicy := mistakes.Cases(), 0
	for kind := range mistakes.Kinds {
		expect.NoError(t, setup.AwaitRefusal(t.Context(), guard.StartUpPolicy, func() error {
			return create(guard.ModeEnforce, kind, "v1beta1", cases["issuer, http"])
		}))
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		for kind := range mistakes.Kinds {
			for _, version := range versions {
				t.Run(name+"/"+kind+"/"+version, func(t *testing.T) {
					c := cases[name]
					rule := create("", kind, version, c)
					if rule != nil && (!apierrors.IsInvalid(rule) || c.Field == "") {
						t.Fatalf("without a mode: %v", rule)
					}
					err := create(guard.ModeEnforce, kind, version, c)
					switch refusal, _ := setup.AsRefusal(err); {
					case rule != nil && apierrors.IsInvalid(err), c.Field == "" && err == nil, c.Left && err == nil:
					case c.Field != "" && !c.Left && refusal.Policy == guard.StartUpPolicy:
						byPolicy++
					default:
						t.Errorf("in mode enforce: %v", err)
					}
				})
			}
		}
	}
	if byPolicy < 50 {
		t.Errorf("the policy alone rejects %d objects: too few", byPolicy)
	}
}
