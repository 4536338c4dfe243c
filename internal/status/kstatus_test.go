package status_test

import (
	"errors"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/resolve"
	scopegate "github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/status/words"
	"github.com/scopegate/scopegate/internal/testenv"
)

const namespace = "ns"

// pair resolves a consumer against configs.
func pair(t testing.TB, object any, configs ...*v1beta1.MCPExternalAuthConfig) resolve.Pair {
	t.Helper()
	consumer, _ := resolve.Of(object)
	pair, err := resolve.Resolve(consumer, func(name string) (*v1beta1.MCPExternalAuthConfig, error) {
		for _, config := range configs {
			if config.Name == name {
				return config, nil
			}
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestKstatus holds what GitOps tools make of each status: they must not fail a
// shared config for one bad consumer, wait for ever, or be ready too early.
func TestKstatus(t *testing.T) {
	config := testenv.Config(namespace, "shared", "admin")
	bad := pair(t, testenv.Server(namespace, "web", testenv.AuthServerRef("shared")), config)
	good := pair(t, testenv.Server(namespace, "web", testenv.AuthServerRef("shared", "admin")), config)
	consumer := func(pair resolve.Pair, conditions []metav1.Condition) []metav1.Condition {
		return append(conditions, *words.ForConsumer(pair))
	}
	for name, tc := range map[string]struct {
		object     scopegate.Object
		conditions []metav1.Condition
		want       status.Status
	}{
		"a config with a bad consumer": {config, []metav1.Condition{*words.ForConfig(config, []resolve.Pair{bad})}, status.CurrentStatus},
		"a config without consumers":   {config, []metav1.Condition{*words.ForConfig(config, nil)}, status.CurrentStatus},
		"a config of another type":     {testenv.OutgoingConfig(namespace, "out"), nil, status.CurrentStatus},
		"held for good":                {testenv.Server(namespace, "web", v1alpha1.AuthReferences{}), consumer(bad, scopegate.Held(bad, "BaselineScopeNotSupported", "", true)), status.FailedStatus},
		"waiting":                      {testenv.Proxy(namespace, "web", v1alpha1.AuthReferences{}), consumer(good, scopegate.Held(good, "OIDCConfigNotFound", "m", false)), status.InProgressStatus},
		"rolling out":                  {testenv.Virtual(namespace, "v", nil), consumer(good, scopegate.RollingOut(false, "m")), status.InProgressStatus},
		"refused and tried again":      {testenv.Server(namespace, "web", v1alpha1.AuthReferences{}), consumer(good, scopegate.RolloutFailed(errors.New("quota"))), status.InProgressStatus},
		"rolled out":                   {testenv.Server(namespace, "web", v1alpha1.AuthReferences{}), consumer(good, scopegate.RollingOut(true, "m")), status.CurrentStatus},
		"no auth server":               {testenv.Server(namespace, "web", v1alpha1.AuthReferences{}), nil, status.CurrentStatus},
	} {
		t.Run(name, func(t *testing.T) {
			tc.object.SetGeneration(3)
			scopegate.Set(tc.object.GetStatus(), 3, tc.conditions...)
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(tc.object)
			if err != nil {
				t.Fatal(err)
			}
			result, err := status.Compute(&unstructured.Unstructured{Object: content})
			if err != nil || result.Status != tc.want {
				t.Errorf("got %+v (%v), want %s", result, err, tc.want)
			}
			tc.object.SetGeneration(4)
			content, err = runtime.DefaultUnstructuredConverter.ToUnstructured(tc.object)
			if err != nil {
				t.Fatal(err)
			}
			if result, err = status.Compute(&unstructured.Unstructured{Object: content}); err != nil || result.Status != status.InProgressStatus {
				t.Errorf("of an older generation: got %+v (%v), want %s", result, err, status.InProgressStatus)
			}
		})
	}
}
