package sample

import (
	"encoding/json"
	"reflect"
)

// OpaqueContent is the text of opaque fields that Fill sets.
const OpaqueContent = `{"long":"content"}`

// Fill sets every field of a value, so that a test of all fields knows those that are added.
func Fill(value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		Fill(value.Elem())
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				Fill(value.Field(i))
			}
		}
	case reflect.Slice:
		switch {
		case value.Type() == reflect.TypeFor[json.RawMessage]():
			value.SetBytes([]byte(OpaqueContent))
		case value.Type().Elem().Kind() != reflect.Uint8:
			value.Set(reflect.MakeSlice(value.Type(), 1, 1))
			Fill(value.Index(0))
		}
	case reflect.Map:
		key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
		Fill(key)
		Fill(element)
		value.Set(reflect.MakeMap(value.Type()))
		value.SetMapIndex(key, element)
	case reflect.String:
		value.SetString("oidc")
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int32, reflect.Int64:
		value.SetInt(1)
	}
}
