package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/api/v1beta1"
	"github.com/scopegate/scopegate/internal/kinds"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/status"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/sample"
)

// TestCollector counts objects with the conditions of both modes, of which some have
// reasons that scopegate does not use, where one kind can't be listed. It also checks the names and help texts by the
// conventions of Prometheus.
func TestCollector(t *testing.T) {
	object := func(object kinds.Object, valid metav1.ConditionStatus, validReason, readyReason string) kinds.Object {
		conditions := []metav1.Condition{{Type: "BaselineScopesValid", Status: valid, Reason: validReason}}
		if readyReason != "" {
			conditions = append(conditions, metav1.Condition{Type: "Ready", Status: "False", Reason: readyReason})
		}
		status.Set(object.GetStatus(), 1, conditions...)
		return object
	}
	none := v1alpha1.AuthReferences{}
	objects := []kinds.Object{
		object(sample.Config("a", "bad"), "False", "BaselineScopeNotSupported", ""),
		object(sample.Config("a", "unused"), "Unknown", "NotReferenced", ""),
		object(sample.Config("a", "theirs"), "False", "One", ""),
		object(sample.Config("a", "theirs-too"), "False", "Two", ""),
		object(sample.Server("a", "bad", none), "False", "BaselineScopeNotSupported", "BaselineScopeNotSupported"),
		object(sample.Server("b", "bad", none), "False", "BaselineScopeNotSupported", "BaselineScopeNotSupported"),
		object(sample.Server("b", "good", none), "True", "BaselineScopesSupported", "RollingOut"),
		object(sample.Server("b", "refused", none), "True", "BaselineScopesSupported", "RolloutFailed"),
		object(sample.Virtual("b", "good", nil), "True", "BaselineScopesSupported", "RollingOut"),
		sample.Virtual("b", "new", nil),
	}
	reader := interceptor.NewClient(nil, interceptor.Funcs{List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
		if _, fails := list.(*v1beta1.MCPRemoteProxyList); fails {
			return errors.New("no such kind")
		}
		var items []runtime.Object
		for _, object := range objects {
			if fmt.Sprintf("%TList", object) == fmt.Sprintf("%T", list) {
				items = append(items, object)
			}
		}
		return meta.SetList(list, items)
	}})
	const verdicts = `
# HELP scopegate_baseline_scopes_valid Objects by the status and the reason of their condition BaselineScopesValid. Those that are False also by namespace.
# TYPE scopegate_baseline_scopes_valid gauge
scopegate_baseline_scopes_valid{kind="MCPExternalAuthConfig",object_namespace="a",reason="BaselineScopeNotSupported",status="False"} 1
scopegate_baseline_scopes_valid{kind="MCPExternalAuthConfig",object_namespace="a",reason="Other",status="False"} 2
scopegate_baseline_scopes_valid{kind="MCPExternalAuthConfig",object_namespace="",reason="NotReferenced",status="Unknown"} 1
scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="a",reason="BaselineScopeNotSupported",status="False"} 1
scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="b",reason="BaselineScopeNotSupported",status="False"} 1
scopegate_baseline_scopes_valid{kind="MCPServer",object_namespace="",reason="BaselineScopesSupported",status="True"} 2
scopegate_baseline_scopes_valid{kind="VirtualMCPServer",object_namespace="",reason="BaselineScopesSupported",status="True"} 1
`
	for mode, want := range map[string]string{"standalone": `
# HELP scopegate_rollouts_held Objects whose rollout is held. Running pods stay unchanged. Only in standalone mode.
# TYPE scopegate_rollouts_held gauge
scopegate_rollouts_held{kind="MCPServer"} 2
scopegate_rollouts_held{kind="VirtualMCPServer"} 0
`, "guard": `
# HELP scopegate_guard_stood_down Objects that the guard does not write, because another writer decides on their condition BaselineScopesValid. Only in guard mode.
# TYPE scopegate_guard_stood_down gauge
scopegate_guard_stood_down{kind="MCPExternalAuthConfig"} 2
scopegate_guard_stood_down{kind="MCPServer"} 0
scopegate_guard_stood_down{kind="VirtualMCPServer"} 0
`} {
		t.Run(mode, func(t *testing.T) {
			collector := metrics.Collector{Cache: reader, Standalone: mode == "standalone"}
			if problems, err := testutil.CollectAndLint(collector); err != nil || len(problems) > 0 {
				t.Errorf("lint: %v %v", problems, err)
			}
			expect.NoError(t, testutil.CollectAndCompare(collector, strings.NewReader(verdicts+want)))
		})
	}
}
