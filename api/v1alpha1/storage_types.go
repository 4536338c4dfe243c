package v1alpha1

// AuthServerStorageType selects where an auth server keeps its sessions.
type AuthServerStorageType string

// Where an auth server keeps its sessions.
const (
	// AuthServerStorageTypeMemory is the memory of the process.
	AuthServerStorageTypeMemory AuthServerStorageType = "memory"
	// AuthServerStorageTypeRedis is a Redis or Valkey server.
	AuthServerStorageTypeRedis AuthServerStorageType = "redis"
)

// AuthServerStorageConfig tells where an auth server keeps its sessions.
type AuthServerStorageConfig struct {
	// type selects memory, or redis with the field redis.
	// +kubebuilder:validation:Enum=memory;redis
	// +kubebuilder:default=memory
	// +optional
	Type AuthServerStorageType `json:"type,omitempty"`

	// redis is the server of type redis.
	// +optional
	Redis *RedisStorageConfig `json:"redis,omitempty"`

	// maxDCRClients is how many dynamically registered clients are kept. Read by
	// ToolHive alone, from v0.56.0 on.
	// +kubebuilder:validation:Minimum=0
	// +optional
	MaxDCRClients *int32 `json:"maxDCRClients,omitempty"`
}

// RedisStorageConfig is a connection to Redis: one server or a cluster by addr,
// or Sentinel by sentinelConfig.
//
// +kubebuilder:validation:XValidation:rule=`(self.?addr.orValue("") != "") != has(self.sentinelConfig)`,message=`exactly one of addr and sentinelConfig must be set`,reason=FieldValueInvalid,fieldPath=`.addr`
// +kubebuilder:validation:XValidation:rule=`!self.?clusterMode.orValue(false) || self.?addr.orValue("") != ""`,message=`clusterMode needs addr: set addr to the cluster's address, or remove clusterMode`,reason=FieldValueInvalid,fieldPath=`.clusterMode`
type RedisStorageConfig struct {
	// addr of the server or the cluster, as host:port.
	// +optional
	Addr string `json:"addr,omitempty"`

	// clusterMode tells that addr is a Redis cluster.
	// +optional
	ClusterMode bool `json:"clusterMode,omitempty"`

	// sentinelConfig finds the server through Sentinel.
	// +optional
	SentinelConfig *RedisSentinelConfig `json:"sentinelConfig,omitempty"`

	// aclUserConfig is the user at the server.
	// +required
	ACLUserConfig *RedisACLUserConfig `json:"aclUserConfig"`

	// dialTimeout of connections, a Go duration.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:default="5s"
	// +optional
	DialTimeout string `json:"dialTimeout,omitempty"`

	// readTimeout of answers, a Go duration.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:default="3s"
	// +optional
	ReadTimeout string `json:"readTimeout,omitempty"`

	// writeTimeout of requests, a Go duration.
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`
	// +kubebuilder:default="3s"
	// +optional
	WriteTimeout string `json:"writeTimeout,omitempty"`

	// tls of connections to the server. If absent, they are in the clear.
	// +optional
	TLS *RedisTLSConfig `json:"tls,omitempty"`

	// sentinelTls of connections to Sentinel. If absent, they are in the clear.
	// +optional
	SentinelTLS *RedisTLSConfig `json:"sentinelTls,omitempty"`
}

// RedisSentinelConfig finds a Redis server through Sentinel.
type RedisSentinelConfig struct {
	// masterName that Sentinel watches.
	// +required
	MasterName string `json:"masterName"`

	// sentinelAddrs are the Sentinels, each as host:port.
	// +listType=atomic
	// +optional
	SentinelAddrs []string `json:"sentinelAddrs,omitempty"`

	// sentinelService is the Service of the Sentinels, where sentinelAddrs is
	// empty.
	// +optional
	SentinelService *SentinelServiceRef `json:"sentinelService,omitempty"`

	// db is the number of the database.
	// +kubebuilder:default=0
	// +optional
	DB int32 `json:"db,omitempty"`
}

// SentinelServiceRef names a Service of Sentinels.
type SentinelServiceRef struct {
	// name of the Service.
	// +required
	Name string `json:"name"`

	// namespace of the Service. If empty, the config's own.
	// +optional
	Namespace string `json:"namespace,omitempty"`

	// port of the Service.
	// +kubebuilder:default=26379
	// +optional
	Port int32 `json:"port,omitempty"`
}

// RedisTLSConfig is the TLS of a connection.
type RedisTLSConfig struct {
	// insecureSkipVerify accepts every certificate.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`

	// caCertSecretRef names the CA certificate that verifies the server. If
	// absent, the system's are used.
	// +optional
	CACertSecretRef *SecretKeyRef `json:"caCertSecretRef,omitempty"`
}

// RedisACLUserConfig is a user at a Redis server.
type RedisACLUserConfig struct {
	// usernameSecretRef names the user's name. If absent, the password alone is
	// used.
	// +optional
	UsernameSecretRef *SecretKeyRef `json:"usernameSecretRef,omitempty"`

	// passwordSecretRef names the user's password.
	// +required
	PasswordSecretRef *SecretKeyRef `json:"passwordSecretRef"`
}
