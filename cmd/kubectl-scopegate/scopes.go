package main

import (
	"errors"
	"strings"
	"unicode"
)

// scopeList is a flag whose value is a list of scopes, with spaces or commas between.
type scopeList []string

func (s *scopeList) String() string { return strings.Join(*s, " ") }

// Type is what help calls the value.
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
