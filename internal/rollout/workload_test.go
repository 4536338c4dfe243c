package rollout

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/scopegate/scopegate/api/v1alpha1"
	"github.com/scopegate/scopegate/internal/resolve"
	"github.com/scopegate/scopegate/internal/testing/expect"
	"github.com/scopegate/scopegate/internal/toolhive"
)

// Update is -update. The tests outside of this package use it too.
var Update = flag.Bool("update", false, "write the golden files")

// everything returns a config that sets every rendered field.
func everything() *v1alpha1.EmbeddedAuthServerConfig {
	secret := func(name string) *v1alpha1.SecretKeyRef { return &v1alpha1.SecretKeyRef{Name: name, Key: "k"} }
	bundle := func(key string) *v1alpha1.CABundleSource {
		return &v1alpha1.CABundleSource{ConfigMapRef: &v1alpha1.ConfigMapKeyRef{Name: "ca", Key: key}}
	}
	userInfo := &v1alpha1.UserInfoConfig{
		EndpointURL: "https://idp.example.com/me", HTTPMethod: "POST", AdditionalHeaders: map[string]string{"X-A": "b"},
		FieldMapping: &v1alpha1.UserInfoFieldMapping{SubjectFields: []string{"id"}, NameFields: []string{"n"}, EmailFields: []string{"e"}},
	}
	return &v1alpha1.EmbeddedAuthServerConfig{
		Issuer:                       "https://auth.example.com",
		AuthorizationEndpointBaseURL: "https://login.example.com",
		SigningKeySecretRefs:         []v1alpha1.SecretKeyRef{*secret("key-new"), *secret("key-old")},
		HMACSecretRefs:               []v1alpha1.SecretKeyRef{*secret("hmac-new"), *secret("hmac-old")},
		TokenLifespans:               &v1alpha1.TokenLifespanConfig{AccessTokenLifespan: "30m", RefreshTokenLifespan: "24h", AuthCodeLifespan: "5m"},
		UpstreamProviders: []v1alpha1.UpstreamProviderConfig{
			{Name: "corp-idp", Type: "oidc", OIDCConfig: &v1alpha1.OIDCUpstreamConfig{
				IssuerURL: "https://idp.example.com", ClientID: "c", ClientSecretRef: secret("corp"), RedirectURI: "https://auth.example.com/cb",
				Scopes: []string{"openid"}, UserInfoOverride: userInfo, AdditionalAuthorizationParams: map[string]string{"access_type": "offline"},
				SubjectClaim: "oid", CABundleRef: bundle("bundle.pem"), AllowPrivateIPs: true,
			}},
			{Name: "git", Type: "oauth2", OAuth2Config: &v1alpha1.OAuth2UpstreamConfig{
				AuthorizationEndpoint: "https://git.example.com/a", TokenEndpoint: "https://git.example.com/t", ClientID: "g",
				ClientSecretRef: secret("git"), Scopes: []string{"read"}, UserInfo: userInfo, CABundleRef: bundle(""), AllowPrivateIPs: true, InsecureAllowHTTP: true,
				TokenResponseMapping:          &v1alpha1.TokenResponseMapping{AccessTokenPath: "a.t", ScopePath: "a.s", RefreshTokenPath: "a.r", ExpiresInPath: "a.e"},
				IdentityFromToken:             &v1alpha1.IdentityFromTokenConfig{SubjectPath: "u.id", NamePath: "u.n", EmailPath: "u.e"},
				AdditionalAuthorizationParams: map[string]string{"prompt": "login"},
			}},
		},
		Storage: &v1alpha1.AuthServerStorageConfig{Type: "redis", Redis: &v1alpha1.RedisStorageConfig{
			SentinelConfig: &v1alpha1.RedisSentinelConfig{MasterName: "m", SentinelService: &v1alpha1.SentinelServiceRef{Name: "s", Namespace: "redis"}, DB: 2},
			ACLUserConfig:  &v1alpha1.RedisACLUserConfig{UsernameSecretRef: secret("redis-user"), PasswordSecretRef: secret("redis-password")},
			DialTimeout:    "5s", ReadTimeout: "3s", WriteTimeout: "3s",
			TLS: &v1alpha1.RedisTLSConfig{CACertSecretRef: secret("redis-ca")}, SentinelTLS: &v1alpha1.RedisTLSConfig{CACertSecretRef: secret("sentinel-ca")},
		}},
		DisableUpstreamTokenInjection:             true,
		BaselineClientScopes:                      []string{"openid", "offline_access"},
		AllowConfidentialClientRegistration:       true,
		AllowPrivateKeyJWTRegistration:            true,
		InsecureAllowConfidentialOverLoopbackHTTP: true,
		ForceConfidentialRedirectURIs:             []string{"https://client.example.com/cb"},
		CIMD:                                      &v1alpha1.CIMDConfig{Enabled: true, CacheMaxSize: 10, CacheFallbackTTL: "1m"},
	}
}

func checked(t *testing.T, config *v1alpha1.EmbeddedAuthServerConfig) Checked {
	t.Helper()
	consumer := resolve.Consumer{
		Kind: resolve.KindVirtualMCPServer, Namespace: "team-a", Name: "tools", Inline: config, Port: 4483, Defaults: toolhive.DefaultScopes,
		OIDC: &v1alpha1.MCPOIDCConfigReference{Name: "oidc", Audience: "https://mcp.example.com", ResourceURL: "https://mcp.example.com"},
	}
	pair, err := resolve.Resolve(consumer, nil)
	expect.NoError(t, err)
	checked, hold := Check(pair, true)
	if hold != nil {
		t.Fatalf("held for %s: %s", hold.Reason, hold.Message)
	}
	return checked
}

// TestNoRenderDrift checks that an upgrade of the manager does not roll auth
// servers: the rendered objects stay the same, byte for byte. Update the golden
// files only if every auth server really has to roll.
func TestNoRenderDrift(t *testing.T) {
	minimal := &v1alpha1.EmbeddedAuthServerConfig{
		Issuer: "https://auth.example.com",
		UpstreamProviders: []v1alpha1.UpstreamProviderConfig{{
			Name: "idp", Type: "oidc", OIDCConfig: &v1alpha1.OIDCUpstreamConfig{IssuerURL: "https://idp.example.com", ClientID: "c"},
		}},
	}
	for name, config := range map[string]*v1alpha1.EmbeddedAuthServerConfig{"minimal": minimal, "everything": everything()} {
		t.Run(name, func(t *testing.T) {
			checked := checked(t, config)
			for kind, object := range map[string]any{
				"deployment": checked.deployment("authserver:golden"), "service": checked.service(), "runconfig": json.RawMessage(checked.RunConfig()),
			} {
				text, err := yaml.Marshal(object)
				expect.NoError(t, err)
				expect.Golden(t, *Update, filepath.Join("testdata", name+"-"+kind+".yaml"), string(text))
			}
		})
	}
}

// TestEveryFileIsMounted compares the CA files of a run config with those in the pod, also
// where only the second of two things has one.
func TestEveryFileIsMounted(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.EmbeddedAuthServerConfig){
		"the first provider has no CA":   func(c *v1alpha1.EmbeddedAuthServerConfig) { c.UpstreamProviders[0].OIDCConfig.CABundleRef = nil },
		"only the Sentinels of Redis do": func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Storage.Redis.TLS = nil },
		"Redis is left over":             func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Storage.Type = "memory" },
		"the system's CAs for Redis":     func(c *v1alpha1.EmbeddedAuthServerConfig) { c.Storage.Redis.TLS.CACertSecretRef = nil },
	} {
		config := everything()
		change(config)
		checked := checked(t, config)
		volumes, mounts := checked.volumes()
		mounted, named := map[string]bool{}, map[string]bool{}
		for i, volume := range volumes {
			if volume.Projected == nil {
				continue
			}
			for _, source := range volume.Projected.Sources {
				items := slices.Concat(ptr.Deref(source.Secret, corev1.SecretProjection{}).Items, ptr.Deref(source.ConfigMap, corev1.ConfigMapProjection{}).Items)
				if strings.HasSuffix(items[0].Path, ".crt") {
					mounted[mounts[i].MountPath+"/"+items[0].Path] = true
				}
			}
		}
		for _, file := range regexp.MustCompile(`"(/etc/[^"]+/[^"]+\.crt)"`).FindAllStringSubmatch(checked.RunConfig(), -1) {
			named[file[1]] = true
		}
		expect.Equal(t, name, named, mounted)
	}
}

// TestRestricted checks that the pod meets the restricted profile of the Pod
// Security Standards, with the API server's own evaluator.
func TestRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	expect.NoError(t, err)
	template := checked(t, everything()).deployment("authserver:golden").Spec.Template
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	evaluate := func(meta metav1.ObjectMeta, spec corev1.PodSpec) policy.AggregateCheckResult {
		return policy.AggregateCheckResults(evaluator.EvaluatePod(level, &meta, &spec))
	}
	if result := evaluate(template.ObjectMeta, template.Spec); !result.Allowed {
		t.Errorf("rejected: %s", result.ForbiddenDetail())
	}
	loosened := template.DeepCopy()
	loosened.Spec.SecurityContext = nil
	if result := evaluate(loosened.ObjectMeta, loosened.Spec); result.Allowed {
		t.Error("a pod without a security context is allowed: the check has no effect")
	}
	if token := template.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Error("the pod has the token of a service account")
	}
}

// TestNothingToRestore checks that values which the API server and other writers
// may set are not a difference. Otherwise scopegate would write the object again
// and again.
func TestNothingToRestore(t *testing.T) {
	checked := checked(t, everything())
	deployment := checked.deployment("x")
	deployment.Spec.Replicas = ptr.To[int32](0)
	pod := &deployment.Spec.Template.Spec
	pod.NodeSelector = map[string]string{"disk": "ssd"}
	pod.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{}}
	pod.Tolerations = []corev1.Toleration{{Key: "theirs", Operator: corev1.TolerationOpExists}}
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	pod.SchedulerName, pod.PriorityClassName = "theirs", "theirs"
	pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "theirs"}}
	pod.Containers[0].ImagePullPolicy = corev1.PullAlways
	deployment.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	deployment.Labels["team"] = "a"
	deployment.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
	service := checked.service()
	service.Spec.Type = corev1.ServiceTypeNodePort
	service.Spec.Ports[0].NodePort = 30080
	service.Spec.ClusterIPs = []string{"10.0.0.1"}
	for live, desired := range map[client.Object]client.Object{deployment: checked.deployment("x"), service: checked.service()} {
		if after := restored(live, desired); !equality.Semantic.DeepEqual(after, live) {
			t.Errorf("%T (-live +restored):\n%s", live, cmp.Diff(live, after))
		}
	}
}

// eachChange calls try for changes of each leaf of value, which set replaces: it is removed,
// and has other values. Values of another type can't be decoded, and try ignores them.
func eachChange(value any, path string, set func(any), try func(path string)) {
	switch value := value.(type) {
	case map[string]any:
		for key, below := range value {
			eachChange(below, path+"/"+key, func(changed any) { value[key] = changed }, try)
		}
	case []any:
		for i, below := range value {
			eachChange(below, fmt.Sprintf("%s/%d", path, i), func(changed any) { value[i] = changed }, try)
		}
	default:
		for _, changed := range []any{nil, fmt.Sprint(value) + "x", "1", int64(1), true, false} {
			set(changed)
			try(path)
		}
		set(value)
	}
}

// TestAllElseIsRestored changes one field of a child at a time. Only what the API server does
// not let anybody change may stay so.
func TestAllElseIsRestored(t *testing.T) {
	checked := checked(t, everything())
	stay := map[string]bool{}
	for _, desired := range []client.Object{checked.deployment("x"), checked.service()} {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
		expect.NoError(t, err)
		eachChange(content, "", nil, func(path string) {
			live := reflect.New(reflect.TypeOf(desired).Elem()).Interface().(client.Object)
			if runtime.DefaultUnstructuredConverter.FromUnstructured(content, live) == nil && !equality.Semantic.DeepEqual(restored(live, desired), desired) {
				stay[path] = true
			}
		})
	}
	const selector = "/spec/selector/matchLabels/app.kubernetes.io/"
	expect.Equal(t, "fields that stay changed", []string{"/metadata/name", "/metadata/namespace", selector + "instance", selector + "name"}, slices.Sorted(maps.Keys(stay)))
}
