package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// keyRange is the keys with a prefix, as etcd wants it: from, and up to but
// without (etcd: api/etcdserverpb/rpc.proto, RangeRequest).
type keyRange struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end"`
}

func prefixed(prefix string) keyRange {
	end := []byte(prefix)
	end[len(end)-1]++
	return keyRange{[]byte(prefix), end}
}

// Revision is that of etcd's newest write.
func (c *Cluster) Revision(ctx context.Context) (int64, error) {
	found, err := c.newest(ctx, "/registry/")
	return found.Header.Revision, err
}

// History returns what was written below a prefix of etcd's keys since a
// revision, each object as each write left it, oldest first. Unlike a watch of
// the API server it misses nothing, whoever was restarted meanwhile, and the
// API server lets etcd forget nothing.
func (c *Cluster) History(ctx context.Context, prefix string, since int64) ([]runtime.Object, error) {
	found, err := c.newest(ctx, prefix)
	if err != nil || len(found.KVs) == 0 || found.KVs[0].ModRevision <= since {
		return nil, err
	}
	last := found.KVs[0].ModRevision
	create := struct {
		keyRange
		StartRevision int64 `json:"start_revision,string"`
	}{prefixed(prefix), since + 1}
	stream, err := c.askEtcd(ctx, "watch", map[string]any{"create_request": create})
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Body.Close() }()
	var history []runtime.Object
	for answers := json.NewDecoder(stream.Body); ; {
		var answer struct {
			Result struct {
				Canceled     bool   `json:"canceled"`
				CancelReason string `json:"cancel_reason"`
				Events       []struct {
					KV keyValue `json:"kv"`
				} `json:"events"`
			} `json:"result"`
		}
		if err := answers.Decode(&answer); err != nil {
			return nil, fmt.Errorf("reading etcd's history of %s: %w", prefix, err)
		}
		if answer.Result.Canceled {
			return nil, fmt.Errorf("reading etcd's history of %s since %d: canceled: %s", prefix, since, answer.Result.CancelReason)
		}
		for _, event := range answer.Result.Events {
			// A key that goes has no value.
			if len(event.KV.Value) > 0 {
				object, _, err := scheme.Codecs.UniversalDeserializer().Decode(event.KV.Value, nil, nil)
				if err != nil {
					return nil, fmt.Errorf("decoding %s as etcd has it: %w", event.KV.Key, err)
				}
				history = append(history, object)
			}
			if event.KV.ModRevision >= last {
				return history, nil
			}
		}
	}
}

type keyValue struct {
	Key         []byte `json:"key"`
	Value       []byte `json:"value"`
	ModRevision int64  `json:"mod_revision,string"`
}

type newest struct {
	Header struct {
		Revision int64 `json:"revision,string"`
	} `json:"header"`
	KVs []keyValue `json:"kvs"`
}

// newest finds the key below a prefix that was written last.
func (c *Cluster) newest(ctx context.Context, prefix string) (found newest, err error) {
	answer, err := c.askEtcd(ctx, "kv/range", struct {
		keyRange
		SortOrder  string `json:"sort_order"`
		SortTarget string `json:"sort_target"`
		Limit      int    `json:"limit,string"`
	}{prefixed(prefix), "DESCEND", "MOD", 1})
	if err != nil {
		return found, err
	}
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found, errors.Join(err, answer.Body.Close())
}

// askEtcd asks what etcd serves as JSON.
func (c *Cluster) askEtcd(ctx context.Context, path string, question any) (*http.Response, error) {
	text, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, etcdURL+"/v3/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	// Not HTTPClient, which ends an answer that takes long.
	client := &http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking etcd: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("asking etcd: %s", answer.Status), answer.Body.Close())
	}
	return answer, nil
}
