package node

import (
	"context"
	"fmt"
	"time"
)

// etcdURL is where etcd listens, in the node's network.
const etcdURL = "http://127.0.0.1:2379"

// startControlPlane starts etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	begin := time.Now()
	if err := c.run("etcd", c.assets.plane("etcd"), "--data-dir="+c.path("etcd"), "--unsafe-no-fsync", "--logger=zap",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls=http://127.0.0.1:0"); err != nil {
		return err
	}
	if err := c.run("kube-apiserver", c.assets.plane("kube-apiserver"),
		"--etcd-servers="+etcdURL, "--etcd-compaction-interval=0", "--cert-dir="+c.path("api"),
		"--tls-cert-file="+c.path("api.crt"), "--tls-private-key-file="+c.path("api.key"),
		"--bind-address=0.0.0.0", fmt.Sprintf("--secure-port=%d", apiPort), "--advertise-address="+c.address.Node,
		"--service-cluster-ip-range="+serviceRange, "--allow-privileged=true",
		"--authorization-mode=Node,RBAC", "--token-auth-file="+c.path("tokens.csv"),
		"--enable-admission-plugins=NodeRestriction", "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+c.path("service-accounts.key"), "--service-account-signing-key-file="+c.path("service-accounts.key"),
	); err != nil {
		return err
	}
	err := c.await(ctx, "kube-apiserver is ready", func(ctx context.Context) error {
		return c.clients.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		return err
	}
	if err := c.run("kube-controller-manager", c.assets.plane("kube-controller-manager"),
		"--kubeconfig="+c.path("kube-controller-manager.kubeconfig"), "--leader-elect=false", "--secure-port=0",
		"--use-service-account-credentials=true", "--service-account-private-key-file="+c.path("service-accounts.key"),
		"--root-ca-file="+c.path("ca.crt")); err != nil {
		return err
	}
	if err := c.run("kube-scheduler", c.assets.binary("kube-scheduler"),
		"--kubeconfig="+c.path("kube-scheduler.kubeconfig"), "--leader-elect=false", "--secure-port=0"); err != nil {
		return err
	}
	timed(begin, "etcd, kube-apiserver, kube-controller-manager and kube-scheduler run")
	return nil
}
