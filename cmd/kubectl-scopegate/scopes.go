package main

import (
	"errors"
	"strings"
	"unicode"
)

// scopeList is a flag value: a list of scopes, separated by spaces or commas.
type scopeList []string

func (s *scopeList) String() string { return strings.Join(*s, " ") }

// Type is the name of the value in the help.
func (*scopeList) Type() string { return "scopes" }

// Set implements pflag.Value.
func (s *scopeList) Set(value string) error {
	list := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if len(list) == 0 {
		return errors.New("name at least one scope")
	}
	*s = list
	return nil
}
