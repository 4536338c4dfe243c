package source

import (
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/compat/release"
	"github.com/scopegate/scopegate/internal/testing/expect"
)

// rendered is the file in which standalone mode declares the run config that it
// renders.
const rendered = "internal/rollout/runconfig_types.go"

const storageConfig = "pkg/authserver/storage/config.go"

// counterparts are the structs of ToolHive that those of rendered stand for.
var counterparts = map[string]struct{ file, name string }{
	"runConfig":            {authServerConfig, "RunConfig"},
	"signingKeyConfig":     {authServerConfig, "SigningKeyRunConfig"},
	"tokenLifespans":       {authServerConfig, "TokenLifespanRunConfig"},
	"cimd":                 {authServerConfig, "CIMDRunConfig"},
	"upstream":             {authServerConfig, "UpstreamRunConfig"},
	"oidcUpstream":         {authServerConfig, "OIDCUpstreamRunConfig"},
	"oauth2Upstream":       {authServerConfig, "OAuth2UpstreamRunConfig"},
	"tokenResponseMapping": {authServerConfig, "TokenResponseMappingRunConfig"},
	"identityFromToken":    {authServerConfig, "IdentityFromTokenRunConfig"},
	"userInfo":             {authServerConfig, "UserInfoRunConfig"},
	"userInfoFieldMapping": {authServerConfig, "UserInfoFieldMappingRunConfig"},
	"storage":              {storageConfig, "RunConfig"},
	"redisStorage":         {storageConfig, "RedisRunConfig"},
	"redisSentinel":        {storageConfig, "SentinelRunConfig"},
	"redisACLUser":         {storageConfig, "ACLUserRunConfig"},
	"redisTLS":             {storageConfig, "RedisTLSRunConfig"},
}

// field is a field of a struct, as it is encoded. kind is its type in JSON: structs have
// other names in ToolHive, and are compared field by field.
type field struct{ json, yaml, kind string }

func (f *file) fields(structure string) (fields []field) {
	declared, _ := f.declared(structure).(*ast.StructType)
	if declared == nil {
		return nil
	}
	for _, each := range declared.Fields.List {
		if each.Tag == nil {
			continue
		}
		text, _ := strconv.Unquote(each.Tag.Value)
		name := func(encoding string) string {
			name, _, _ := strings.Cut(reflect.StructTag(text).Get(encoding), ",")
			return name
		}
		fields = append(fields, field{name("json"), name("yaml"), f.kind(each.Type)})
	}
	return fields
}

func (f *file) kind(of ast.Node) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return f.kind(of.X)
	case *ast.ArrayType:
		return "list of " + f.kind(of.Elt)
	case *ast.MapType:
		return "map of " + f.kind(of.Value)
	case *ast.Ident:
		if types.Universe.Lookup(of.Name) != nil {
			return of.Name
		}
		if named, ok := f.declared(of.Name).(*ast.Ident); ok {
			return f.kind(named)
		}
	}
	return "object"
}

// TestRendered compares the fields that standalone mode renders with those that
// the auth server reads: their names, types and order. Standalone mode builds
// its auth server from the compiled release, but users may build it from a
// later one.
func TestRendered(t *testing.T) {
	own := parse(t, os.DirFS("../.."), rendered)
	for _, declaration := range own.syntax.Decls {
		for _, spec := range declaration.(*ast.GenDecl).Specs {
			if name := spec.(*ast.TypeSpec).Name.Name; counterparts[name].name == "" {
				t.Errorf("%s: %s has no counterpart in ToolHive: add it to the list", own.place(spec), name)
			}
		}
	}
	first := slices.Index(release.All, release.Find(t, release.Compiled))
	for _, r := range release.All[first:] {
		t.Run(r.Version, func(t *testing.T) {
			files := r.Files(t)
			for structure, counterpart := range counterparts {
				f, want := parse(t, files, counterpart.file), own.fields(structure)
				var got []field
				for _, theirs := range f.fields(counterpart.name) {
					if slices.ContainsFunc(want, func(ours field) bool { return ours.json == theirs.json }) {
						got = append(got, theirs)
					}
				}
				for i := range want {
					want[i].yaml = want[i].json
				}
				expect.Equal(t, fmt.Sprintf("%s: the fields of %s", f.place(f.declared(counterpart.name)), counterpart.name), want, got, cmp.AllowUnexported(field{}))
			}
		})
	}
}
