package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stacklok/toolhive/pkg/authserver"
)

// maxConfigBytes is well above the size that fits into a pod's annotations.
const maxConfigBytes = 1 << 20

// readRunConfig reads the run config from file. A field that ToolHive does not
// know is an error: it would be a setting without effect.
func readRunConfig(file string) (*authserver.RunConfig, error) {
	opened, err := os.Open(file) //nolint:gosec // The file is the operator's choice.
	if err != nil {
		return nil, fmt.Errorf("reading the run config: %w", err)
	}
	defer opened.Close() //nolint:errcheck // Opened for reading.
	text, err := io.ReadAll(io.LimitReader(opened, maxConfigBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the run config: %w", err)
	case len(text) > maxConfigBytes:
		return nil, fmt.Errorf("%s: the run config is larger than %d bytes", file, maxConfigBytes)
	}
	config, err := decodeRunConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return config, nil
}

func decodeRunConfig(text []byte) (*authserver.RunConfig, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var config *authserver.RunConfig
	if err := decoder.Decode(&config); err != nil {
		return nil, decodeError(err, decoder.InputOffset())
	}
	if config == nil {
		return nil, errors.New("the run config is null, not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the run config is followed by more data after byte %d", decoder.InputOffset())
	}
	return config, nil
}

func decodeError(err error, offset int64) error {
	var syntax *json.SyntaxError
	var field *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the run config is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the run config is cut off: its JSON does not end")
	case errors.As(err, &syntax):
		return fmt.Errorf("the run config is malformed JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &field):
		return fmt.Errorf("the run config has a field of the wrong type at byte %d: %w", field.Offset, err)
	default:
		// Either an unknown field, for which encoding/json has no error type, or
		// an error from a type's own decoder.
		return fmt.Errorf("the run config, before byte %d: %w", offset, err)
	}
}
