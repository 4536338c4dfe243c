package source

import (
	"fmt"
	"go/ast"
	"go/types"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

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

type ownField struct{ structure, json, kind string }

func ownFields(t *testing.T) (own []ownField) {
	t.Helper()
	f, err := parse(os.DirFS("../.."), rendered)
	expect.NoError(t, err)
	for _, declaration := range f.syntax.Decls {
		declaration, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range declaration.Specs {
			structure := spec.(*ast.TypeSpec).Name.Name
			if counterparts[structure].name == "" {
				t.Errorf("%s:%d: %s has no counterpart in ToolHive: add it to the list", rendered, f.line(spec.Pos()), structure)
			}
			for _, field := range f.fields(structure) {
				own = append(own, ownField{structure, name(field, "json"), f.kind(field.Type)})
			}
		}
	}
	return own
}

func name(field *ast.Field, encoding string) string {
	if field.Tag == nil {
		return ""
	}
	tag, _ := strconv.Unquote(field.Tag.Value)
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get(encoding), ",")
	return name
}

// kind is the type of a field in JSON. Structs have other names in ToolHive, and
// are compared field by field.
func (f *file) kind(of ast.Expr) string {
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
	own := ownFields(t)
	first := slices.Index(release.All, release.Find(t, release.Compiled))
	for _, r := range release.All[first:] {
		t.Run(r.Version, func(t *testing.T) {
			for _, difference := range compareFields(r.Files(t), own) {
				t.Errorf("ToolHive %s, %s", r.Version, difference)
			}
		})
	}
}

func compareFields(files fs.FS, own []ownField) (differences []string) {
	parsed, after := map[string]*file{}, map[string]int{}
	for _, own := range own {
		theirs := counterparts[own.structure]
		if parsed[theirs.file] == nil {
			f, err := parse(files, theirs.file)
			if err != nil {
				return append(differences, err.Error())
			}
			parsed[theirs.file] = f
		}
		f := parsed[theirs.file]
		fields := f.fields(theirs.name)
		i := slices.IndexFunc(fields, func(field *ast.Field) bool { return name(field, "json") == own.json })
		if i < 0 {
			differences = append(differences, fmt.Sprintf("%s: %s has no field %q any more, which standalone mode renders", f.path, theirs.name, own.json))
			continue
		}
		where := fmt.Sprintf("%s:%d: field %q of %s", f.path, f.line(fields[i].Pos()), own.json, theirs.name)
		switch {
		case name(fields[i], "yaml") != own.json:
			differences = append(differences, fmt.Sprintf("%s is called %q in YAML", where, name(fields[i], "yaml")))
		case f.kind(fields[i].Type) != own.kind:
			differences = append(differences, fmt.Sprintf("%s has the type %s, standalone mode renders %s", where, f.source(fields[i].Type), own.kind))
		case i < after[own.structure]:
			differences = append(differences, where+" stands in another order: it comes before one that standalone mode renders first")
		}
		after[own.structure] = max(i, after[own.structure])
	}
	return differences
}
