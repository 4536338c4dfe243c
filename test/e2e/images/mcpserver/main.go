// Command mcpserver is the smallest MCP server over streamable HTTP: one tool,
// echo. ToolHive's proxies need one behind them to become ready.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProtocolVersion string         `json:"protocolVersion"`
		Arguments       map[string]any `json:"arguments"`
	} `json:"params"`
}

type reply struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   any             `json:"error,omitempty"`
}

func main() {
	server := &http.Server{
		Addr: ":" + cmp.Or(os.Getenv("MCP_PORT"), "8080"), Handler: http.HandlerFunc(serve), ReadHeaderTimeout: 10 * time.Second,
	}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "mcpserver:", err)
		os.Exit(1)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		// No stream of its own, no session to end.
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var asked request
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(asked.ID) == 0 {
		// A notification has no reply.
		w.WriteHeader(http.StatusAccepted)
		return
	}
	answer := reply{JSONRPC: "2.0", ID: asked.ID}
	if answer.Result = result(asked); answer.Result == nil {
		answer.Error = map[string]any{"code": -32601, "message": "no method " + asked.Method}
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that is gone needs no reply.
	_ = json.NewEncoder(w).Encode(answer)
}

func result(asked request) any {
	switch asked.Method {
	case "initialize":
		return map[string]any{
			"protocolVersion": cmp.Or(asked.Params.ProtocolVersion, "2025-06-18"),
			"capabilities":    map[string]any{"tools": map[string]any{}},
			"serverInfo":      map[string]any{"name": "echo", "version": "1"},
		}
	case "ping":
		return map[string]any{}
	case "tools/list":
		return map[string]any{"tools": []any{map[string]any{
			"name": "echo", "description": "Says what it was told.",
			"inputSchema": map[string]any{"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}}},
		}}}
	case "tools/call":
		return map[string]any{"content": []any{map[string]any{"type": "text", "text": fmt.Sprint(asked.Params.Arguments["text"])}}}
	default:
		return nil
	}
}
