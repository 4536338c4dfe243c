package cluster

import "testing"

func TestModeOf(t *testing.T) {
	schema := func(fields string) string {
		return `{"components":{"schemas":{"dev.stacklok.toolhive.v1beta1.MCPExternalAuthConfig":{"properties":{"spec":{"properties":{"embeddedAuthServer":{"properties":{` + fields + `}}}}}}}}}`
	}
	for name, c := range map[string]struct {
		document string
		want     Mode
		fails    bool
	}{
		"scopegate's":  {schema(`"issuer":{},"scopesSupported":{}`), Standalone, false},
		"ToolHive's":   {schema(`"issuer":{}`), Guard, false},
		"another kind": {`{"components":{"schemas":{"dev.stacklok.toolhive.v1beta1.MCPServer":{}}}}`, "", true},
		"no JSON":      {`<html>`, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := modeOf([]byte(c.document)); got != c.want || (err != nil) != c.fails {
				t.Errorf("got %q, %v; want %q, an error: %v", got, err, c.want, c.fails)
			}
		})
	}
}
