package v1alpha1

// AuthServerStorageType selects where an auth server keeps its sessions.
type AuthServerStorageType string

// Where an auth server keeps its sessions.
const (
	// AuthServerStorageTypeMemory keeps them in the memory of the process.
	AuthServerStorageTypeMemory AuthServerStorageType = "memory"
	// AuthServerStorageTypeRedis keeps them in a Redis or Valkey server.
	AuthServerStorageTypeRedis AuthServerStorageType = "redis"
)

// AuthServerStorageConfig configures where an auth server keeps its sessions.
type AuthServerStorageConfig struct {
	// type selects memory, or redis with the field redis.
	// +kubebuilder:validation:Enum=memory;redis
	// +kubebuilder:default=memory
	// +optional
	Type AuthServerStorageType `json:"type,omitempty"`

	// redis configures the server for type redis.
	// +optional
	Redis *RedisStorageConfig `json:"redis,omitempty"`

	// maxDCRClients is the maximum number of dynamically registered clients that
	// are kept. Only ToolHive reads it, from v0.56.0 on.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Format=int32
	// +optional
	MaxDCRClients *int64 `json:"maxDCRClients,omitempty"`
}

// RedisStorageConfig configures a connection to Redis: addr for a single server
// or a cluster, sentinelConfig for Sentinel.
//
// +kubebuilder:validation:XValidation:rule=`(self.?addr.orValue("") != "") != has(self.sentinelConfig)`,message=`exactly one of addr and sentinelConfig must be set`,fieldPath=`.addr`
// +kubebuilder:validation:XValidation:rule=`!self.?clusterMode.orValue(false) || self.?addr.orValue("") != ""`,message=`clusterMode needs addr: set addr to the cluster's address, or remove clusterMode`,fieldPath=`.clusterMode`
type RedisStorageConfig struct {
	// addr is the address of the server or the cluster, as host:port.
	// +optional
	Addr string `json:"addr,omitempty"`

	// clusterMode is true if addr is a Redis cluster.
	// +optional
	ClusterMode bool `json:"clusterMode,omitempty"`

	// sentinelConfig finds the server through Sentinel.
	// +optional
	SentinelConfig *RedisSentinelConfig `json:"sentinelConfig,omitempty"`

	// aclUserConfig holds the credentials for the server.
	// +required
	ACLUserConfig *RedisACLUserConfig `json:"aclUserConfig"`

	// dialTimeout is the timeout of connection attempts, as a Go duration.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:default="5s"
	// +optional
	DialTimeout string `json:"dialTimeout,omitempty"`

	// readTimeout is the timeout of reads, as a Go duration.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:default="3s"
	// +optional
	ReadTimeout string `json:"readTimeout,omitempty"`

	// writeTimeout is the timeout of writes, as a Go duration.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:default="3s"
	// +optional
	WriteTimeout string `json:"writeTimeout,omitempty"`

	// tls configures TLS for connections to the server. If absent, they are
	// unencrypted.
	// +optional
	TLS *RedisTLSConfig `json:"tls,omitempty"`

	// sentinelTls configures TLS for connections to Sentinel. If absent, they are
	// unencrypted.
	// +optional
	SentinelTLS *RedisTLSConfig `json:"sentinelTls,omitempty"`
}

// RedisSentinelConfig configures how to find a Redis server through Sentinel.
type RedisSentinelConfig struct {
	// masterName is the name of the master that Sentinel watches.
	// +required
	MasterName string `json:"masterName"`

	// sentinelAddrs are the Sentinels, each as host:port.
	// +listType=atomic
	// +optional
	SentinelAddrs []string `json:"sentinelAddrs,omitempty"`

	// sentinelService is the Service of the Sentinels. It is used if
	// sentinelAddrs is empty.
	// +optional
	SentinelService *SentinelServiceRef `json:"sentinelService,omitempty"`

	// db is the number of the database.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Format=int32
	// +optional
	DB int64 `json:"db,omitempty"`
}

// SentinelServiceRef names a Service of Sentinels.
type SentinelServiceRef struct {
	// name is the name of the Service.
	// +required
	Name string `json:"name"`

	// namespace is the namespace of the Service. If empty, it is the config's
	// own.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// port is the port of the Service.
	// +kubebuilder:default=26379
	// +kubebuilder:validation:Format=int32
	// +optional
	Port int64 `json:"port,omitempty"`
}

// RedisTLSConfig configures TLS for a connection.
type RedisTLSConfig struct {
	// insecureSkipVerify accepts every certificate.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`

	// caCertSecretRef names the CA certificate that verifies the server. If
	// absent, the system's CA certificates are used.
	// +optional
	CACertSecretRef *SecretKeyRef `json:"caCertSecretRef,omitempty"`
}

// RedisACLUserConfig holds the credentials of a Redis user.
type RedisACLUserConfig struct {
	// usernameSecretRef names the username. If absent, only the password is used.
	// +optional
	UsernameSecretRef *SecretKeyRef `json:"usernameSecretRef,omitempty"`

	// passwordSecretRef names the password.
	// +required
	PasswordSecretRef *SecretKeyRef `json:"passwordSecretRef"`
}
