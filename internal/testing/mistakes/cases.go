package mistakes

import (
	"maps"

	"github.com/scopegate/scopegate/api/v1alpha1"
)

// Cases returns all cases by name.
func Cases() map[string]Case {
	all := maps.Clone(cases)
	for _, name := range reserved {
		params := map[string]string{"access_type": "offline", name: "x"}
		all["params, "+name] = Case{Change: func(c *config) { c.UpstreamProviders[0].OIDCConfig.AdditionalAuthorizationParams = params }, Field: oidcParams, Left: true}
		all["params, OAuth 2.0, "+name] = Case{Change: ofOAuth2(func(c *v1alpha1.OAuth2UpstreamConfig) { c.AdditionalAuthorizationParams = params }), Field: oauth2Params, Left: true}
	}
	return all
}

// reserved are the parameters that an auth server sets itself.
var reserved = []string{"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type", "scope", "state"}

const (
	oidcRedirect   = "upstreamProviders[0].oidcConfig.redirectUri"
	oauth2Redirect = "upstreamProviders[0].oauth2Config.redirectUri"
	oidcParams     = "upstreamProviders[0].oidcConfig.additionalAuthorizationParams"
	oauth2Params   = "upstreamProviders[0].oauth2Config.additionalAuthorizationParams"
	firstEndpoint  = "upstreamProviders[0].oauth2Config.authorizationEndpoint"
	firstToken     = "upstreamProviders[0].oauth2Config.tokenEndpoint"
	firstUserInfo  = "upstreamProviders[0].oauth2Config.userInfo.endpointUrl"
	baseField      = "authorizationEndpointBaseUrl"
	forcedField    = "forceConfidentialRedirectUris"
)

var cases = map[string]Case{
	"issuer, https":                                   {Change: issuer("https://auth.example.com")},
	"issuer, insecureAllowHTTP":                       {Change: both(issuer("http://auth.default.svc:8080"), insecure)},
	"issuer, localhost":                               {Change: issuer("http://localhost:8080")},
	"issuer, localhost in capitals":                   {Change: issuer("http://LOCALHOST:8080")},
	"issuer, loopback address":                        {Change: issuer("http://127.0.0.2:8080")},
	"issuer, IPv6 loopback":                           {Change: issuer("http://[::1]:8080")},
	"issuer, mapped loopback":                         {Change: issuer("http://[::ffff:127.0.0.1]")},
	"issuer, http":                                    {Change: issuer("http://auth.default.svc:8080"), Field: "issuer"},
	"issuer, every address":                           {Change: issuer("http://0.0.0.0:8080"), Field: "issuer"},
	"issuer, IPv6":                                    {Change: issuer("http://[fd00::1]:8080"), Field: "issuer"},
	"issuer, name below localhost":                    {Change: issuer("http://auth.localhost"), Field: "issuer"},
	"issuer, name that starts with localhost":         {Change: issuer("http://localhost.example.com"), Field: "issuer"},
	"issuer, name that starts with 127.0.0.1":         {Change: issuer("http://127.0.0.1.example.com"), Field: "issuer", Left: true},
	"issuer, at sign in the path":                     {Change: issuer("https://auth.example.com/@team")},
	"issuer, user":                                    {Change: issuer("https://team@auth.example.com"), Field: "issuer"},
	"issuer, user and password":                       {Change: issuer("https://team:secret@auth.example.com"), Field: "issuer"},
	"issuer, empty user":                              {Change: issuer("https://@auth.example.com"), Field: "issuer"},
	"authorizationEndpointBaseUrl, https":             {Change: base("https://login.example.com/a@b")},
	"authorizationEndpointBaseUrl, insecureAllowHTTP": {Change: both(base("http://auth.default.svc:8080"), insecure)},
	"authorizationEndpointBaseUrl, localhost":         {Change: base("http://localhost:8080")},
	"authorizationEndpointBaseUrl, http":              {Change: base("http://auth.default.svc:8080"), Field: baseField},
	"authorizationEndpointBaseUrl, below localhost":   {Change: base("http://auth.localhost"), Field: baseField},
	"authorizationEndpointBaseUrl, user":              {Change: base("https://team@login.example.com"), Field: baseField},

	"params, others": {Change: func(c *config) {
		c.UpstreamProviders[0].OIDCConfig.AdditionalAuthorizationParams = map[string]string{"Nonce": "x", "prompt": "login"}
	}},
	"endpoints, https": {Change: ofOAuth2(tokenEndpoint("https://idp.example.com/token"))},
	"endpoints, loopback": {Change: ofOAuth2(func(c *v1alpha1.OAuth2UpstreamConfig) {
		c.AuthorizationEndpoint, c.TokenEndpoint = "http://localhost:9000/authorize", "http://127.0.0.1:9000/token"
	})},
	"endpoints, insecureAllowHTTP":   {Change: both(ofOAuth2(tokenEndpoint("http://idp.default.svc/token")), insecure)},
	"endpoints, insecure provider":   {Change: ofOAuth2(both(tokenEndpoint("http://idp.default.svc/token"), insecureProvider))},
	"tokenEndpoint, http":            {Change: ofOAuth2(tokenEndpoint("http://idp.default.svc/token")), Field: firstToken},
	"tokenEndpoint, user":            {Change: ofOAuth2(tokenEndpoint("http://user@localhost:9000/token")), Field: firstToken, Left: true},
	"authorizationEndpoint, http":    {Change: ofOAuth2(func(c *v1alpha1.OAuth2UpstreamConfig) { c.AuthorizationEndpoint = "http://idp.default.svc/a" }), Field: firstEndpoint},
	"endpoints, flag of another one": {Change: providers(oauth2("one", both(tokenEndpoint("http://a.svc"), insecureProvider)), oauth2("two", tokenEndpoint("http://a.svc"))), Field: "upstreamProviders[1].oauth2Config.tokenEndpoint"},
	"userInfo, https":                {Change: ofOAuth2(userInfo("https://idp.example.com/userinfo"))},
	"userInfo, loopback":             {Change: ofOAuth2(userInfo("http://[::1]:9000/userinfo"))},
	"userInfo, http":                 {Change: ofOAuth2(userInfo("http://idp.default.svc/userinfo")), Field: firstUserInfo},
	"userInfo, despite flags":        {Change: both(ofOAuth2(both(userInfo("http://idp.default.svc/userinfo"), insecureProvider)), insecure), Field: firstUserInfo},
	"userInfoOverride is not read": {Change: func(c *config) {
		c.UpstreamProviders[0].OIDCConfig.UserInfoOverride = &v1alpha1.UserInfoConfig{EndpointURL: "http://idp.default.svc/userinfo"}
	}},

	"redirectUri, empty fragment":          {Change: redirect("https://mcp.example.com/oauth/callback#")},
	"redirectUri, scheme in capitals":      {Change: redirect("HTTPS://mcp.example.com/oauth/callback")},
	"redirectUri, loopback address":        {Change: ofOAuth2(redirectOfOAuth2("http://127.0.0.2:8080/oauth/callback"))},
	"redirectUri, IPv6 loopback":           {Change: redirect("http://[::1]:8080/oauth/callback")},
	"redirectUri, name below localhost":    {Change: redirect("http://mcp.localhost:8080/oauth/callback")},
	"redirectUri, insecureAllowHTTP":       {Change: both(redirect("http://mcp.default.svc/oauth/callback"), insecure)},
	"redirectUri, insecure provider":       {Change: ofOAuth2(both(redirectOfOAuth2("http://mcp.default.svc/oauth/callback"), insecureProvider))},
	"redirectUri, http":                    {Change: redirect("http://mcp.default.svc/oauth/callback"), Field: oidcRedirect},
	"redirectUri, http, OAuth 2.0":         {Change: ofOAuth2(redirectOfOAuth2("http://mcp.default.svc/oauth/callback")), Field: oauth2Redirect},
	"redirectUri, http in capitals":        {Change: redirect("HTTP://mcp.default.svc/oauth/callback"), Field: oidcRedirect},
	"redirectUri, localhost in capitals":   {Change: redirect("http://LOCALHOST:8080/oauth/callback"), Field: oidcRedirect},
	"redirectUri, fragment":                {Change: redirect("https://mcp.example.com/oauth/callback#top"), Field: oidcRedirect},
	"redirectUri, fragment, OAuth 2.0":     {Change: ofOAuth2(redirectOfOAuth2("https://mcp.example.com/#callback")), Field: oauth2Redirect},
	"redirectUri, no scheme":               {Change: redirect("mcp.example.com/oauth/callback"), Field: oidcRedirect},
	"redirectUri, a scheme of its own":     {Change: redirect("com.example.app:/callback"), Field: oidcRedirect},
	"redirectUri, a path":                  {Change: redirect("/oauth/callback"), Field: oidcRedirect},
	"redirectUri, name that starts with 0": {Change: redirect("http://0:0.example.com/"), Field: oidcRedirect, Left: true},

	"forced, https":                {Change: forced("https://app.example.com/callback")},
	"forced, name below localhost": {Change: forced("https://app.localhost/callback")},
	"forced, no address":           {Change: forced("https://127.0.0.256/callback")},
	"forced, localhost":            {Change: forced("https://app.example.com/callback", "https://localhost/callback"), Field: forcedField},
	"forced, in capitals":          {Change: forced("https://LOCALHOST:8443/callback"), Field: forcedField},
	"forced, loopback address":     {Change: forced("https://127.100.249.9/callback"), Field: forcedField},
	"forced, IPv6 loopback":        {Change: forced("https://[::1]:8443/callback"), Field: forcedField},
	"forced, user":                 {Change: forced("https://user:secret@127.0.0.1"), Field: forcedField},
	"forced, long IPv6 loopback":   {Change: forced("https://[0:0::1]/callback"), Field: forcedField, Left: true},

	"lifespans, least":      {Change: lifespans("1m", "1h", "30s")},
	"lifespans, most":       {Change: lifespans("24h", "720h", "10m")},
	"lifespans, zero":       {Change: lifespans("0s", "0s", "0s")},
	"access token, above":   {Change: lifespans("24h1ns", "", ""), Field: "tokenLifespans.accessTokenLifespan"},
	"access token, below":   {Change: lifespans("59s", "", ""), Field: "tokenLifespans.accessTokenLifespan"},
	"access token, 1ns":     {Change: lifespans("1ns", "", ""), Field: "tokenLifespans.accessTokenLifespan"},
	"refresh token, above":  {Change: lifespans("", "720h1s", ""), Field: "tokenLifespans.refreshTokenLifespan"},
	"refresh token, below":  {Change: lifespans("", "59m59s", ""), Field: "tokenLifespans.refreshTokenLifespan"},
	"refresh token, 1ns":    {Change: lifespans("", "1ns", ""), Field: "tokenLifespans.refreshTokenLifespan"},
	"code, above":           {Change: lifespans("", "", "10m1s"), Field: "tokenLifespans.authCodeLifespan"},
	"code, below":           {Change: lifespans("", "", "29999ms"), Field: "tokenLifespans.authCodeLifespan"},
	"code, 1ns":             {Change: lifespans("", "", "1ns"), Field: "tokenLifespans.authCodeLifespan"},
	"cache, absent":         {Change: cache(true, "")},
	"cache, not enabled":    {Change: cache(false, "0s")},
	"cache, 1ns":            {Change: cache(true, "1ns")},
	"cache, zero":           {Change: cache(true, "0s"), Field: "cimd.cacheFallbackTtl"},
	"cache, zeros":          {Change: cache(true, "0h0.0m"), Field: "cimd.cacheFallbackTtl"},
	"cache, less than 1ns":  {Change: cache(true, "0.5ns"), Field: "cimd.cacheFallbackTtl"},
	"lifespan that is none": {Change: lifespans("99999999999h", "", ""), Field: "tokenLifespans.accessTokenLifespan", Left: true},

	"default alone":      {Change: providers(oidc("default"))},
	"default-2":          {Change: providers(oidc("corporate"), oidc("default-2"))},
	"default, the first": {Change: providers(oidc("default"), oidc("corporate")), Field: "upstreamProviders[0].name"},
	"default, the last": {Change: providers(oidc("corporate"), oauth2("default", func(*v1alpha1.OAuth2UpstreamConfig) {})),
		Field: "upstreamProviders[1].name"},
}
