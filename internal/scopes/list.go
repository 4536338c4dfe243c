package scopes

import (
	"errors"
	"strings"
)

// List is the value of a flag: scopes separated by spaces, as OAuth itself separates
// them. A scope may have a comma.
type List []string

// String returns the list as the flag takes it.
func (l *List) String() string { return strings.Join(*l, " ") }

// Type is the name of the value in the help of the plugin.
func (*List) Type() string { return "scopes" }

// Set replaces the list.
func (l *List) Set(value string) error {
	scopes := strings.Fields(value)
	if len(scopes) == 0 {
		return errors.New("name at least one scope")
	}
	*l = scopes
	return nil
}
