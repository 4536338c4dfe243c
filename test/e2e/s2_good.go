package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

const (
	servicePort   = 8080
	discoveryPath = "/.well-known/oauth-authorization-server"
)

// good: the auth server of a config that is in order becomes Ready and does
// what its config says.
func good(s *suite) {
	namespace := s.namespace("good")
	s.apply(namespace, "whole/10-shared.yaml", "whole/20-config.yaml", "whole/30-weather.yaml")
	s.kubectl("--namespace", namespace, "wait", "--for=condition=Ready", "mcpserver/weather", "--timeout=2m")
	s.kubectl("--namespace", namespace, "get", "mcpexternalauthconfigs,mcpservers,deployments,replicasets,pods,services")

	s.say("Through the Service, discovery lists the effective scopes: those of the consumer.")
	scopes := s.discover(namespace, "mcpserver/weather")
	if want := []string{"openid", "profile", "offline_access"}; !slices.Equal(scopes, want) {
		s.fail("discovery lists %q, want %q", scopes, want)
	}
	s.say("A client that asks for profile alone gets the baseline too.")
	registered := strings.Fields(s.register(namespace, "mcpserver/weather", "profile"))
	slices.Sort(registered)
	if want := []string{"offline_access", "openid", "profile"}; !slices.Equal(registered, want) {
		s.fail("the client has the scopes %q, want %q", registered, want)
	}
}

// discover asks the auth server of a consumer for its scopes.
func (s *suite) discover(namespace, consumer string) []string {
	var document struct {
		Scopes []string `json:"scopes_supported"`
	}
	address := s.url(namespace, consumer) + discoveryPath
	s.awaitAnswer(address)
	s.must(json.Unmarshal(s.request(http.MethodGet, address, ""), &document))
	return document.Scopes
}

// register registers a client, and returns its scopes.
func (s *suite) register(namespace, consumer, scope string) string {
	body := fmt.Sprintf(`{"client_name": "e2e", "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none", "scope": %q}`, scope)
	var answer struct {
		Scope string `json:"scope"`
	}
	s.must(json.Unmarshal(s.request(http.MethodPost, s.url(namespace, consumer)+"/oauth/register", body), &answer))
	return answer.Scope
}

// url is where the Service of a consumer is.
func (s *suite) url(namespace, consumer string) string {
	return fmt.Sprintf("http://%s.%s:%d", child(namespace, consumer), namespace, servicePort)
}

// request makes a request that is answered well, and shows it.
func (s *suite) request(method, url, body string) []byte {
	request, err := http.NewRequestWithContext(s.ctx, method, url, strings.NewReader(body))
	s.must(err)
	command := "curl " + url
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
		command = "curl --header 'Content-Type: application/json' --data '" + body + "' " + url
	}
	response, err := s.cluster.HTTPClient().Do(request)
	s.must(err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	s.must(err)
	s.cluster.Show(command, string(answer))
	if response.StatusCode >= http.StatusBadRequest {
		s.fail("%s %s: %s", method, url, response.Status)
	}
	return answer
}
