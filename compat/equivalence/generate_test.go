package equivalence

import "fmt"

// The generated objects are what a user might apply: mostly valid, with a wrong
// or almost wrong value somewhere. Objects that the CRDs reject are skipped
// later, because they are never stored.

type object = map[string]any

// url returns a URL whose host or form several libraries could judge
// differently.
func (r random) url(schemes ...string) string {
	if len(schemes) == 0 {
		schemes = []string{"https", "https", "https", "http"}
	}
	host := pick(r, "auth.example.com", "auth.example.com", "auth.example.com:8443", "web.default.svc.cluster.local:8080", "localhost:8080", "localhost",
		"127.0.0.1:9000", "[::1]:9000", "10.1.2.3")
	if r.one(16) {
		host = pick(r, "LOCALHOST:1", "127.0.0.2", "127.1", "app.localhost", "localhost.example.com", "user@auth.example.com", "user:pass@localhost", ":443", "",
			"[::1]", "[fe80::1%25eth0]:1", "0.0.0.0:80", "auth.example.com:port", "[::ffff:127.0.0.1]", "auth_under.example.com", "bücher.example", "auth.example.com.")
	}
	path := pick(r, "", "", "/oauth", "/a/b", "/oauth/callback")
	if r.one(24) {
		path = pick(r, "/", "//", "/a?b=c", "/a#b", "/%zz", "/%20", "/a b", "?", "#", "/é", "/a;b", "/..")
	}
	return pick(r, schemes...) + "://" + host + path
}

func (r random) duration(typical ...string) string {
	if r.one(12) {
		return pick(r, "0s", "1ns", "29s", "30s", "59s", "59m", "1h", "10m", "10m1s", "24h", "24h1s", "720h", "721h", "99999999999999h", "1.5h", "0.0h", "1h1h1h", "5")
	}
	return pick(r, typical...)
}

func (r random) secret() object {
	return object{"name": pick(r, "keys", "company-login"), "key": pick(r, "current", "tls.key")}
}

func maybe(r random, into object, n int, field string, value any) {
	if r.one(n) {
		into[field] = value
	}
}

func (r random) scopesOf(most int) []any {
	list := []any{}
	for range r.IntN(most + 1) {
		list = append(list, pick(r, "openid", "profile", "email", "offline_access", "mcp:read", "mcp:Read"))
	}
	return list
}

func (r random) embedded() object {
	config := object{"issuer": r.url()}
	maybe(r, config, 4, "authorizationEndpointBaseUrl", r.url())
	maybe(r, config, 3, "signingKeySecretRefs", []any{r.secret(), r.secret()}[:1+r.IntN(2)])
	maybe(r, config, 3, "hmacSecretRefs", []any{r.secret(), r.secret()}[:1+r.IntN(2)])
	maybe(r, config, 3, "tokenLifespans", r.lifespans())
	maybe(r, config, 3, "scopesSupported", r.scopesOf(5))
	maybe(r, config, 3, "baselineClientScopes", r.scopesOf(2))
	maybe(r, config, 3, "storage", r.storage())
	maybe(r, config, 4, "cimd", r.cimd())
	for _, field := range []string{"disableUpstreamTokenInjection", "insecureAllowHTTP", "allowPrivateKeyJWTRegistration",
		"allowConfidentialClientRegistration", "insecureAllowConfidentialOverLoopbackHTTP"} {
		maybe(r, config, 3, field, r.one(2))
	}
	if r.one(6) {
		config["allowConfidentialClientRegistration"], config["insecureAllowHTTP"] = true, false
		config["forceConfidentialRedirectUris"] = []any{r.url("https"), r.url("https")}[:1+r.IntN(2)]
	}
	upstreams := []any{}
	for i := range pick(r, 1, 1, 1, 2, 3, 0) {
		upstreams = append(upstreams, r.upstream(i))
	}
	config["upstreamProviders"] = upstreams
	maybe(r, config, 20, "primaryUpstreamProvider", "company")
	maybe(r, config, 40, "delegateClients", []any{object{"clientId": "a"}})
	maybe(r, config, 40, "registrationRateLimit", object{"maxTokens": int64(3), "refillPeriod": "18s"})
	maybe(r, config, 40, "tlsListener", object{"certificateSecretRef": r.secret(), "privateKeySecretRef": r.secret()})
	maybe(r, config, 40, "trustedIssuers", []any{object{"issuerUrl": "https://a.example.com"}})
	return config
}

func (r random) lifespans() object {
	spans := object{}
	maybe(r, spans, 2, "accessTokenLifespan", r.duration("15m", "1h", "24h"))
	maybe(r, spans, 2, "refreshTokenLifespan", r.duration("24h", "168h", "720h"))
	maybe(r, spans, 2, "authCodeLifespan", r.duration("30s", "5m", "10m"))
	return spans
}

func (r random) cimd() object {
	cimd := object{"enabled": !r.one(4)}
	maybe(r, cimd, 2, "cacheMaxSize", int64(pick(r, 1, 256, 0)))
	maybe(r, cimd, 2, "cacheFallbackTtl", r.duration("5m"))
	return cimd
}

func (r random) storage() object {
	if r.one(3) {
		memory := object{"type": "memory"}
		maybe(r, memory, 20, "maxDCRClients", int64(pick(r, 0, 500)))
		return memory
	}
	acl := object{"passwordSecretRef": r.secret()}
	maybe(r, acl, 2, "usernameSecretRef", r.secret())
	redis := object{"aclUserConfig": acl}
	if r.one(2) {
		redis["addr"] = pick(r, "redis:6379", "redis", "[::1]:6379", "redis:port")
		maybe(r, redis, 4, "clusterMode", true)
	} else {
		redis["sentinelConfig"] = r.sentinel()
	}
	maybe(r, redis, 8, "addr", "redis:6379")
	for _, field := range []string{"dialTimeout", "readTimeout", "writeTimeout"} {
		maybe(r, redis, 4, field, r.duration("1s", "500ms"))
	}
	maybe(r, redis, 3, "tls", r.redisTLS())
	maybe(r, redis, 3, "sentinelTls", r.redisTLS())
	return object{"type": "redis", "redis": redis}
}

func (r random) sentinel() object {
	sentinel := object{"masterName": pick(r, "mymaster", "mymaster", "mymaster", "")}
	maybe(r, sentinel, 3, "db", int64(r.IntN(3)))
	if r.one(2) {
		sentinel["sentinelAddrs"] = []any{"sentinel-0:26379", "sentinel-1:26379"}[:r.IntN(3)]
	}
	if r.one(2) {
		service := object{"name": "sentinel"}
		maybe(r, service, 2, "namespace", "redis")
		maybe(r, service, 2, "port", int64(26380))
		sentinel["sentinelService"] = service
	}
	return sentinel
}

func (r random) redisTLS() object {
	tls := object{}
	maybe(r, tls, 2, "insecureSkipVerify", r.one(2))
	maybe(r, tls, 2, "caCertSecretRef", r.secret())
	return tls
}

func (r random) upstream(index int) object {
	provider := object{"name": pick(r, fmt.Sprintf("company-%d", index), fmt.Sprintf("c%d", index), "default")}
	client := object{"clientId": pick(r, "scopegate", "scopegate", "scopegate", "scopegate", "scopegate", "scopegate", "")}
	maybe(r, client, 2, "clientSecretRef", r.secret())
	if !r.one(4) {
		client["redirectUri"] = r.url()
	}
	maybe(r, client, 2, "scopes", []any{"openid", "profile"}[:r.IntN(3)])
	maybe(r, client, 4, "additionalAuthorizationParams", object{pick(r, "access_type", "Nonce",
		pick(r, "client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type", "scope", "state")): "x"})
	maybe(r, client, 4, "allowPrivateIPs", true)
	maybe(r, client, 4, "caBundleRef", object{"configMapRef": object{"name": "ca", "key": "ca.crt"}})
	maybe(r, client, 40, "dcrConfig", object{"discoveryUrl": "https://login.example.com/.well-known/openid-configuration"})
	maybe(r, client, 40, "additionalTokenParams", object{"resource": "https://api.example.com"})
	maybe(r, client, 40, "omitScopeOnRefresh", true)
	if r.one(2) {
		provider["type"], provider["oidcConfig"] = "oidc", client
		client["issuerUrl"] = r.url("https")
		maybe(r, client, 4, "subjectClaim", pick(r, "oid", "", "a.b"))
		maybe(r, client, 6, "userInfoOverride", r.userInfo())
		return provider
	}
	provider["type"], provider["oauth2Config"] = "oauth2", client
	client["authorizationEndpoint"], client["tokenEndpoint"] = r.url(), r.url()
	maybe(r, client, 3, "insecureAllowHTTP", true)
	maybe(r, client, 3, "userInfo", r.userInfo())
	maybe(r, client, 4, "tokenResponseMapping", object{"accessTokenPath": "a.b", "scopePath": "c"})
	maybe(r, client, 4, "identityFromToken", object{"subjectPath": pick(r, "sub", "a|@upstreamjwt|sub"), "emailPath": "email"})
	maybe(r, client, 40, "tokenEndpointAuthMethod", pick(r, "none", "client_secret_basic"))
	return provider
}

func (r random) userInfo() object {
	info := object{"endpointUrl": r.url()}
	maybe(r, info, 2, "httpMethod", pick(r, "GET", "POST"))
	maybe(r, info, 3, "additionalHeaders", object{"Accept": "application/json"})
	maybe(r, info, 3, "fieldMapping", object{"subjectFields": []any{"id", "sub"}, "nameFields": []any{"login"}})
	return info
}

// oidcReference returns a consumer's reference to an MCPOIDCConfig. own is the
// consumer's default resource URL.
func (r random) oidcReference(own string) object {
	reference := object{"name": "company", "audience": own}
	if r.one(2) {
		url := r.url()
		reference["resourceUrl"], reference["audience"] = url, url
	}
	maybe(r, reference, 20, "audience", "another")
	maybe(r, reference, 2, "scopes", r.scopesOf(5))
	return reference
}

func (r random) objects() (consumer, config object) {
	name := pick(r, "web", "web.v2", "0web", "a-long-name-of-a-server")
	metadata := object{"name": name, "namespace": "team-a"}
	kind := pick(r, "MCPServer", "MCPRemoteProxy", "VirtualMCPServer")
	consumer = object{"apiVersion": "toolhive.stacklok.dev/" + version, "kind": kind, "metadata": metadata}
	if kind == "VirtualMCPServer" {
		consumer["spec"] = object{
			"groupRef":         object{"name": "group"},
			"incomingAuth":     object{"type": pick(r, "oidc", "oidc", "oidc", "anonymous"), "oidcConfigRef": r.oidcReference("http://" + name + ".team-a.svc.cluster.local:4483")},
			"authServerConfig": r.embedded(),
		}
		maybe(r, consumer["spec"].(object), 40, "authServerUpstreamFilter", object{"rules": []any{object{"groups": []any{"staff"}, "upstreamProviders": []any{"company-0"}}}})
		return consumer, nil
	}
	spec := object{"proxyPort": int64(pick(r, 8080, 9000))}
	spec["oidcConfigRef"] = r.oidcReference(fmt.Sprintf("http://%s.team-a.svc.cluster.local:%d", name, spec["proxyPort"]))
	if r.one(2) {
		spec["authServerRef"] = object{"kind": "MCPExternalAuthConfig", "name": "login"}
	} else {
		spec["externalAuthConfigRef"] = object{"name": "login"}
	}
	if kind == "MCPServer" {
		spec["image"] = "example.com/mcp:1"
	} else {
		spec["remoteUrl"] = "https://mcp.example.com"
	}
	consumer["spec"] = spec
	config = object{
		"apiVersion": "toolhive.stacklok.dev/" + version, "kind": "MCPExternalAuthConfig",
		"metadata": object{"name": "login", "namespace": "team-a"},
		"spec":     object{"type": "embeddedAuthServer", "embeddedAuthServer": r.embedded()},
	}
	return consumer, config
}
