# The check that lint makes across objects, for conftest: the baseline of a config must
# be among the effective scopes of each consumer.
package main

import rego.v1

defaults := ["openid", "profile", "email", "offline_access"]

configs[id] := config if {
	some document in input
	config := document.contents
	config.kind == "MCPExternalAuthConfig"
	config.spec.type == "embeddedAuthServer"
	id := concat("/", [config.metadata.namespace, config.metadata.name])
}

deny contains message if {
	some document in input
	consumer := document.contents
	consumer.kind in {"MCPServer", "MCPRemoteProxy"}
	some field in ["authServerRef", "externalAuthConfigRef"]
	config := configs[concat("/", [consumer.metadata.namespace, consumer.spec[field].name])]
	server := config.spec.embeddedAuthServer
	missing := [scope | some scope in server.baselineClientScopes; not scope in effective(server, consumer)]
	count(missing) > 0
	message := sprintf("%s: %v", [consumer.metadata.name, missing])
}

effective(server, consumer) := scopes if {
	scopes := server.scopesSupported
	count(scopes) > 0
} else := scopes if {
	scopes := consumer.spec.oidcConfigRef.scopes
	count(scopes) > 0
} else := defaults
