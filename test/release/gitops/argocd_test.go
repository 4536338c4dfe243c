package gitops_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/testing/fixtures"
)

const group = "toolhive.stacklok.dev"

type health struct{ Status, Message string }

func table(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		made := state.NewTable()
		for key, item := range value {
			made.RawSetString(key, table(state, item))
		}
		return made
	case []any:
		made := state.NewTable()
		for _, item := range value {
			made.Append(table(state, item))
		}
		return made
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	default:
		return lua.LNil
	}
}

func run(script string, object map[string]any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	state.SetContext(ctx)
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return health{}, err
		}
	}
	state.SetGlobal("obj", table(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("it returns %s", state.Get(-1))
	}
	text := func(key string) string {
		if value, ok := result.RawGetString(key).(lua.LString); ok {
			return string(value)
		}
		return ""
	}
	return health{text("status"), text("message")}, nil
}

func script(t *testing.T) string {
	t.Helper()
	return string(read(t, filepath.Join(folder, "argocd/health.lua")))
}

// TestArgoCD evaluates every row.
func TestArgoCD(t *testing.T) {
	for _, row := range fixtures.All() {
		if got, err := run(script(t), row.Object.Object); err != nil || got.Status != string(row.Health) {
			t.Errorf("%s: got %+v (%v), want %s", row.Name, got, err, row.Health)
		}
	}
}

// TestArgoCDBetweenWrites covers what the rows lack: statuses that are behind.
func TestArgoCDBetweenWrites(t *testing.T) {
	condition := func(kind, status string, generation int) any {
		return map[string]any{"type": kind, "status": status, "observedGeneration": int64(generation), "message": kind + " " + status}
	}
	for name, tc := range map[string]struct {
		kind   string
		status map[string]any
		want   health
	}{
		"nothing yet": {"MCPServer", nil, health{"Progressing", "waiting for the operator"}},
		"ToolHive's Ready is behind": {"MCPServer", map[string]any{"conditions": []any{condition("Ready", "True", 1)}},
			health{"Progressing", "waiting for the operator to see the last edit"}},
		"scopegate is ahead of ToolHive": {"MCPServer", map[string]any{"observedGeneration": int64(1), "conditions": []any{condition("BaselineScopesValid", "False", 2)}},
			health{"Degraded", "BaselineScopesValid False"}},
		"a config says what its consumers lack": {"MCPExternalAuthConfig", map[string]any{"observedGeneration": int64(2), "conditions": []any{condition("BaselineScopesValid", "False", 2)}},
			health{"Healthy", "BaselineScopesValid False"}},
		"an old verdict on a config": {"MCPExternalAuthConfig", map[string]any{"observedGeneration": int64(2), "conditions": []any{condition("BaselineScopesValid", "False", 1)}},
			health{"Healthy", ""}},
		"a phase and no condition": {"MCPServer", map[string]any{"phase": "Ready"}, health{"Healthy", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			object := map[string]any{"kind": tc.kind, "metadata": map[string]any{"generation": int64(2)}}
			if tc.status != nil {
				object["status"] = tc.status
			}
			got, err := run(script(t), object)
			expect.NoError(t, err)
			expect.Equal(t, "health", tc.want, got)
		})
	}
}

// TestArgoCDConfigMap compares the ConfigMap, which users merge into their own, with the
// script.
func TestArgoCDConfigMap(t *testing.T) {
	data := map[string]string{}
	for _, row := range fixtures.All() {
		data[fmt.Sprintf("resource.customizations.health.%s_%s", group, row.Object.GetKind())] = script(t)
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{"name": "argocd-cm", "namespace": "argocd", "labels": map[string]any{
			"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"}},
	})
	expect.NoError(t, err)
	head := "# Written from health.lua; do not edit. Merge its data into your own argocd-cm, for\n" +
		"# instance: kubectl patch configmap argocd-cm -n argocd --patch-file argocd-cm.yaml\n"
	expect.Golden(t, *update, filepath.Join(folder, "argocd/argocd-cm.yaml"), head+string(text))
}
