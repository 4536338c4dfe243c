package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/stacklok/toolhive/pkg/authserver/runner"
)

// Limits of a connection. A token request waits for the upstream provider, so
// writing may take longer than reading.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10
)

// serve answers requests until ctx is done, then waits for those in flight, for
// options.grace at most.
func serve(ctx context.Context, auth *runner.EmbeddedAuthServer, options options, log *slog.Logger) (err error) {
	defer func() {
		if closeErr := auth.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("closing the storage: %w", closeErr))
		}
	}()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", options.listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", options.listen, err)
	}
	var ready atomic.Bool
	server := &http.Server{
		Handler:           handler(auth, &ready),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready.Store(true)
	log.Info("serving", "address", listener.Addr().String(), "config", options.config)

	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", options.listen, err)
	case <-ctx.Done():
	}
	ready.Store(false)
	log.Info("shutting down", "delay", options.delay.String(), "grace", options.grace.String())
	// A pod gets its signal before all clients know that it is going away.
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", options.listen, err)
	case <-time.After(options.delay):
	}
	// ctx is done, so the shutdown needs a new one.
	bounded, cancel := context.WithTimeout(context.Background(), options.grace)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return fmt.Errorf("requests were still in flight %s after the signal: %w", options.grace, errors.Join(err, server.Close()))
	}
	log.Info("stopped")
	return nil
}

// handler serves ToolHive's endpoints, and /healthz and /readyz for the pod's
// probes.
func handler(auth *runner.EmbeddedAuthServer, ready *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	auth.RegisterHandlers(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ready.Load() {
			answer(w, http.StatusOK, "ok")
		} else {
			answer(w, http.StatusServiceUnavailable, "shutting down")
		}
	})
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}
