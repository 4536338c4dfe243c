package rollout

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// The pod names Secrets and the kubelet resolves them: scopegate never reads a
// Secret.

// env returns the environment variables with the secrets that the run config
// refers to by variable.
func (c Checked) env() []corev1.EnvVar {
	var env []corev1.EnvVar
	add := func(name string, ref *v1alpha1.SecretKeyRef) {
		if ref != nil {
			env = append(env, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name}, Key: ref.Key,
			}}})
		}
	}
	for _, provider := range c.config.UpstreamProviders {
		if provider.OIDCConfig != nil {
			ref := provider.OIDCConfig.ClientSecretRef
			add(secretEnvVar(provider.Name, ref), ref)
		}
		if provider.OAuth2Config != nil {
			ref := provider.OAuth2Config.ClientSecretRef
			add(secretEnvVar(provider.Name, ref), ref)
		}
	}
	if redis := c.redis(); redis != nil {
		add(redisUsernameEnv, redis.ACLUserConfig.UsernameSecretRef)
		add(redisPasswordEnv, redis.ACLUserConfig.PasswordSecretRef)
	}
	return env
}

// volumes returns the volumes and mounts with the run config and the files that
// it refers to.
func (c Checked) volumes() ([]corev1.Volume, []corev1.VolumeMount) {
	volumes := []corev1.Volume{{Name: "run-config", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
		Items: []corev1.DownwardAPIVolumeFile{{
			Path:     runConfigFile,
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + RunConfigAnnotation + "']"},
		}},
		DefaultMode: ptr.To(corev1.DownwardAPIVolumeSourceDefaultMode),
	}}}}
	mounts := []corev1.VolumeMount{{Name: "run-config", MountPath: runConfigPath, ReadOnly: true}}
	add := func(name, path string, sources []corev1.VolumeProjection) {
		if len(sources) == 0 {
			return
		}
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: sources, DefaultMode: ptr.To[int32](secretFileMode)},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: true})
	}

	var keys, hmacs, tls, cas []corev1.VolumeProjection
	for i := range c.config.SigningKeySecretRefs {
		keys = append(keys, secretFile(&c.config.SigningKeySecretRefs[i], signingKeyFile(i)))
	}
	for i := range c.config.HMACSecretRefs {
		hmacs = append(hmacs, secretFile(&c.config.HMACSecretRefs[i], hmacFile(i)))
	}
	if redis := c.redis(); redis != nil {
		if redis.TLS != nil && redis.TLS.CACertSecretRef != nil {
			tls = append(tls, secretFile(redis.TLS.CACertSecretRef, caFile))
		}
		if redis.SentinelConfig != nil && redis.SentinelTLS != nil && redis.SentinelTLS.CACertSecretRef != nil {
			tls = append(tls, secretFile(redis.SentinelTLS.CACertSecretRef, sentinelCAFile))
		}
	}
	for i, provider := range c.config.UpstreamProviders {
		if ref := caBundle(provider); ref != nil && ref.ConfigMapRef != nil {
			cas = append(cas, configMapFile(ref.ConfigMapRef, fmt.Sprintf("%d/%s", i, caFile)))
		}
	}
	add("signing-keys", signingKeysPath, keys)
	add("hmac", hmacPath, hmacs)
	add("redis-tls", redisTLSPath, tls)
	add("upstream-ca", upstreamCAPath, cas)
	return volumes, mounts
}

func (c Checked) redis() *v1alpha1.RedisStorageConfig {
	if storage := c.config.Storage; storage != nil && storage.Type == v1alpha1.AuthServerStorageTypeRedis {
		return storage.Redis
	}
	return nil
}

func caBundle(provider v1alpha1.UpstreamProviderConfig) *v1alpha1.CABundleSource {
	switch {
	case provider.OIDCConfig != nil:
		return provider.OIDCConfig.CABundleRef
	case provider.OAuth2Config != nil:
		return provider.OAuth2Config.CABundleRef
	default:
		return nil
	}
}

func secretFile(ref *v1alpha1.SecretKeyRef, file string) corev1.VolumeProjection {
	return corev1.VolumeProjection{Secret: &corev1.SecretProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name},
		Items:                []corev1.KeyToPath{{Key: ref.Key, Path: file}},
	}}
}

func configMapFile(ref *v1alpha1.ConfigMapKeyRef, file string) corev1.VolumeProjection {
	key := ref.Key
	if key == "" {
		key = caFile
	}
	return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name},
		Items:                []corev1.KeyToPath{{Key: key, Path: file}},
	}}
}
