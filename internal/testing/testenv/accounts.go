package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/scopegate/scopegate/internal/operator"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// Token returns a token of a service account.
func (c *Cluster) Token(ctx context.Context, namespace, name string) (string, error) {
	// The longest suites take more than the default of an hour.
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(6 * 60 * 60))}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := c.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("requesting a token of service account %s/%s: %w", namespace, name, err)
	}
	return request.Status.Token, nil
}

// KubeconfigOf writes a kubeconfig with a service account's token, as in a pod,
// and returns its path.
func (c *Cluster) KubeconfigOf(t testing.TB, namespace, name string) string {
	t.Helper()
	token, err := c.Token(t.Context(), namespace, name)
	expect.NoError(t, err)
	config := clientcmdapi.NewConfig()
	config.Clusters["it"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	config.AuthInfos["it"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["it"] = &clientcmdapi.Context{Cluster: "it", AuthInfo: "it"}
	config.CurrentContext = "it"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	expect.NoError(t, clientcmd.WriteToFile(*config, path))
	return path
}

// AdminFiles writes the certificate and the key of an administrator to files, and
// returns their paths.
func (c *Cluster) AdminFiles(t testing.TB) (certificate, key string) {
	t.Helper()
	folder := t.TempDir()
	certificate, key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	for path, data := range map[string][]byte{certificate: c.Config.CertData, key: c.Config.KeyData} {
		expect.NoError(t, os.WriteFile(path, data, 0o600))
	}
	return certificate, key
}

// WithoutWarnings returns a client that does not print the API server's warnings: each request
// in v1alpha1 has one.
func (c *Cluster) WithoutWarnings(t testing.TB) client.Client {
	t.Helper()
	cfg := rest.CopyConfig(c.Config)
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	quiet, err := client.New(cfg, client.Options{Scheme: operator.Scheme})
	expect.NoError(t, err)
	return quiet
}
