package packaging_test

import (
	"math/rand/v2"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/internal/guard"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// values are the values of the chart. A nil map or list is written as null.
type values struct {
	Guard struct {
		Mode          string   `json:"mode"`
		StartUp       bool     `json:"startUp"`
		DefaultScopes []string `json:"defaultScopes"`
	} `json:"guard"`
	WatchNamespaces []string `json:"watchNamespaces"`
	Image           struct {
		Registry   string `json:"registry"`
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
		Digest     string `json:"digest"`
		PullPolicy string `json:"pullPolicy"`
	} `json:"image"`
	ImagePullSecrets  []corev1.LocalObjectReference `json:"imagePullSecrets"`
	Replicas          int32                         `json:"replicas"`
	Args              []string                      `json:"args"`
	Resources         map[string]map[string]any     `json:"resources"`
	NodeSelector      map[string]string             `json:"nodeSelector"`
	Tolerations       []corev1.Toleration           `json:"tolerations"`
	Affinity          *corev1.Affinity              `json:"affinity"`
	PodAnnotations    map[string]string             `json:"podAnnotations"`
	PodLabels         map[string]string             `json:"podLabels"`
	PriorityClassName string                        `json:"priorityClassName"`
	// Global is what a chart gets that is a dependency of another. It means nothing here.
	Global              map[string]string `json:"global,omitempty"`
	PodDisruptionBudget struct {
		Enabled bool `json:"enabled"`
	} `json:"podDisruptionBudget"`
	NetworkPolicy struct {
		Enabled        bool    `json:"enabled"`
		APIServerPorts []int32 `json:"apiServerPorts"`
	} `json:"networkPolicy"`
}

var (
	// names are names of objects that YAML takes for something else.
	names = []string{"1234", "true", "null", "1e3", "0x1f", "007", "no", "y", "team-a"}
	// texts mean something to YAML, Kubernetes, CEL, Helm or a shell.
	texts = slices.Concat(names, []string{
		"~", "#admin", "&a", "*", "*a", "a:", "a: b", ":", "{{.x}}", "{{ fail `x` }}", "'", "''", "$(MODE)", "$$(MODE)", "$$", "$MODE", "$(", "`id`", "%", "%s", "!x",
		"|", ">", "- x", "-", "--mode=strict", "---", "[a]", "{a}", "?", "=", "<<", "@", "a,b", ",", "a;b", `"`, `\`, "a\nb", " a ", "a #b", "",
	})
)

// token reports whether a text is a scope token of RFC 6749, section 3.3.
func token(text string) bool {
	for _, c := range []byte(text) {
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return text != ""
}

// chance makes random choices.
type chance struct{ *rand.Rand }

func (c chance) flip() bool { return c.IntN(2) == 0 }

func pick[T any](c chance, of []T) T { return of[c.IntN(len(of))] }

// some returns up to three of a list, and sometimes nil.
func some[T any](c chance, of []T) (picked []T) {
	for _, i := range c.Perm(len(of))[:min(c.IntN(4), len(of))] {
		picked = append(picked, of[i])
	}
	return picked
}

func (c chance) scope(length int) string {
	scope := ""
	for len(scope) < length {
		if char := string(rune(0x21 + c.IntN(0x5e))); token(char) {
			scope += char
		}
	}
	return scope
}

func (c chance) scopes() (list []string) {
	if c.IntN(8) == 0 {
		return toolhive.DefaultScopes
	}
	for len(list) == 0 || c.IntN(4) > 0 {
		scope := pick(c, texts)
		if !token(scope) || c.flip() {
			scope = c.scope(1 + c.IntN(12))
		}
		if !slices.Contains(list, scope) {
			list = append(list, scope)
		}
	}
	return list
}

// longestScopes is the longest list that the schema allows.
func (c chance) longestScopes() (list []string) {
	for range 100 {
		list = append(list, c.scope(256))
	}
	return list
}

func (c chance) strings(keys, of []string) map[string]string {
	if c.IntN(4) == 0 {
		return nil
	}
	made := map[string]string{}
	for _, key := range some(c, keys) {
		made[key] = pick(c, of)
	}
	return made
}

func (c chance) values() (v values) {
	v.Guard.Mode, v.Guard.StartUp, v.Guard.DefaultScopes = pick(c, guard.Modes[1:]), c.flip(), c.scopes()
	v.WatchNamespaces = some(c, names)
	v.Image.Registry = pick(c, []string{"", "localhost:5000", "1234", "12:30", "registry.example.com/my-team", "true/null"})
	v.Image.Repository, v.Image.Tag = pick(c, append(names, "a/b__c")), pick(c, []string{"", "1234", "1e3", "true", "v1.2.3", "_x", "0.10"})
	v.Image.Digest = pick(c, []string{"", "sha256:" + strings.Repeat("0", 64)})
	v.Image.PullPolicy = pick(c, []string{"Always", "IfNotPresent", "Never"})
	for _, name := range some(c, names) {
		v.ImagePullSecrets = append(v.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	v.Replicas = pick(c, []int32{0, 1, 2, 1000000, 2147483647})
	v.Args = some(c, []string{"--concurrency=7", "--pprof-bind-address=localhost:6060", "--zap-log-level=debug", "--zap-devel", "--zap-encoder=json"})
	v.Resources = map[string]map[string]any{
		"requests": {"cpu": pick(c, []any{1, 0.5, "20m", "1e3"}), "memory": "96Mi"},
		"limits":   {"memory": pick(c, []any{1000000000, "1e9", "256Mi"}), "cpu": "2e3"},
	}
	v.NodeSelector = c.strings([]string{"1234", "true", "example.com/null"}, names)
	if c.flip() {
		v.Tolerations = []corev1.Toleration{{Key: "null", Operator: corev1.TolerationOpEqual, Value: pick(c, names), Effect: corev1.TaintEffectNoExecute, TolerationSeconds: ptr.To[int64](300)}}
	}
	if c.flip() {
		v.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "true", Operator: corev1.NodeSelectorOpIn, Values: names}}},
		}}}}
	}
	// Some keys are those that the chart sets.
	v.PodAnnotations = c.strings([]string{"1234", "null", "example.com/true", "kubectl.kubernetes.io/default-container"}, texts)
	v.PodLabels = c.strings([]string{"1e3", "null", "app.kubernetes.io/name", "app.kubernetes.io/component"}, names)
	v.PriorityClassName = pick(c, append(names, "123", ""))
	v.PodDisruptionBudget.Enabled, v.NetworkPolicy.Enabled = c.flip(), c.flip()
	v.NetworkPolicy.APIServerPorts = pick(c, [][]int32{{443, 6443}, {1}, {65535, 443}})
	v.Global = c.strings([]string{"registry"}, texts)
	return v
}
