package v1beta1

import "github.com/scopegate/scopegate/api/v1alpha1"

// GetStatus returns the status that scopegate writes.
func (c *MCPExternalAuthConfig) GetStatus() *v1alpha1.Status { return &c.Status }

// GetStatus returns the status that scopegate writes.
func (s *MCPServer) GetStatus() *v1alpha1.Status { return &s.Status }

// GetStatus returns the status that scopegate writes.
func (p *MCPRemoteProxy) GetStatus() *v1alpha1.Status { return &p.Status }

// GetStatus returns the status that scopegate writes.
func (s *VirtualMCPServer) GetStatus() *v1alpha1.Status { return &s.Status }
