package node

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"crypto/x509"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
)

// apiPort is where kube-apiserver listens, and apiService the address of the
// Service that leads there from pods.
const (
	apiPort    = 6443
	apiService = "10.0.0.1"
)

// users are the users of kube-apiserver, each with a kubeconfig.
var users = []struct{ file, name, groups string }{
	{"admin", "admin", "system:masters"},
	{"kubelet", "system:node:" + Name, "system:nodes"},
	{"kube-controller-manager", "system:kube-controller-manager", ""},
	{"kube-scheduler", "system:kube-scheduler", ""},
	{"kube-proxy", "system:kube-proxy", ""},
}

func (c *Cluster) path(name string) string { return filepath.Join(c.Folder, name) }

func (c *Cluster) write(name, text string) error {
	return os.WriteFile(c.path(name), []byte(text), 0o600)
}

func (c *Cluster) writeFiles() error {
	certificate, key, err := cert.GenerateSelfSignedCertKey("kubernetes",
		[]net.IP{net.ParseIP(c.address.Node), net.ParseIP(apiService)},
		[]string{"kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"})
	if err != nil {
		return fmt.Errorf("making the API server's certificate: %w", err)
	}
	// The certificate is followed by that of its authority.
	_, authority := pem.Decode(certificate)
	signing, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("making the key of service accounts: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(signing)})

	var tokens strings.Builder
	for _, user := range users {
		token := rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,%s,%q\n", token, user.name, user.name, user.groups)
		if err := c.writeKubeconfig(user.file, token, authority); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"api.crt": string(certificate), "api.key": string(key), "ca.crt": string(authority),
		"service-accounts.key": string(private), "tokens.csv": tokens.String(),
		"containerd.toml": c.containerdConfig(), "cni/10-bridge.conflist": bridgeConfig(c.path("addresses")),
		"kubelet.yaml": c.kubeletConfig(), "kube-proxy.yaml": c.proxyConfig(), "resolv.conf": "nameserver " + c.address.Node + "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(c.path(name)), 0o700); err != nil {
			return err
		}
		if err := c.write(name, text); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) writeKubeconfig(name, token string, authority []byte) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[Context] = &clientcmdapi.Cluster{
		Server: fmt.Sprintf("https://%s:%d", c.address.Node, apiPort), CertificateAuthorityData: authority,
	}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[Context] = &clientcmdapi.Context{Cluster: Context, AuthInfo: name}
	config.CurrentContext = Context
	return clientcmd.WriteToFile(*config, c.path(name+".kubeconfig"))
}

func (c *Cluster) containerdConfig() string {
	// restrict_oom_score_adj: not every machine lets its root lower a score.
	return fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, c.path("containerd"), c.path("containerd.sock"), pauseImage, c.assets.cni, c.path("cni"))
}

func bridgeConfig(data string) string {
	return fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "e2e", "plugins": [{
  "type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`, data, podRange)
}

// kubeletConfig makes kubelet look often, so that tests wait less. It never
// evicts pods, because the disk is not the cluster's alone.
func (c *Cluster) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
syncFrequency: 2s
volumePluginDir: %s
resolvConf: %s
clusterDomain: cluster.local
clusterDNS: [%s]
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "0%%", nodefs.available: "0%%", nodefs.inodesFree: "0%%", imagefs.available: "0%%", imagefs.inodesFree: "0%%"}
`, c.path("containerd.sock"), cgroupName(c.Folder), c.path("volume-plugins"), c.path("resolv.conf"), c.address.Node)
}

// proxyConfig makes kube-proxy leave the machine's settings alone.
func (c *Cluster) proxyConfig() string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %s}
mode: iptables
iptables: {localhostNodePorts: false, minSyncPeriod: 100ms}
hostnameOverride: %s
clusterCIDR: %s
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`, c.path("kube-proxy.kubeconfig"), Name, podRange)
}
