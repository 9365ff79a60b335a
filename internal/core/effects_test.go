package core

import (
	"reflect"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// What a core asks for, and what it gets, are values: who carries it out knows nothing else of the core, and can change
// nothing in it. The checks of a plan are the exception: a task is the checker itself, which the plan has made.
func TestEffectsAreValues(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[Effects](), reflect.TypeFor[Table](),
		reflect.TypeFor[Claims]()} {
		testkit.Equal(t, notAValue(of), "")
	}
	for _, wrong := range []reflect.Type{reflect.TypeFor[*int](), reflect.TypeFor[struct{ F func() }](),
		reflect.TypeFor[[]chan int](),
		reflect.TypeFor[interface{ Do(map[string]*int) }](),
		reflect.TypeFor[interface{ Do() *ipvsctl.Memory }]()} {
		if notAValue(wrong) == "" {
			t.Errorf("%v is taken for a value", wrong)
		}
	}
}

// notAValue is why a type is not only values; "" if it is. Of an interface the arguments and results of its methods are
// meant, of a struct its fields, but not those of the standard library.
func notAValue(of reflect.Type) string {
	switch of.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return of.String() + " is not a value"
	case reflect.Slice, reflect.Array:
		return notAValue(of.Elem())
	case reflect.Map:
		return notAValue(of.Key()) + notAValue(of.Elem())
	case reflect.Struct:
		for f := range of.NumField() {
			if of.PkgPath() == "time" || of.PkgPath() == "net/netip" {
				break
			}
			if why := notAValue(of.Field(f).Type); why != "" {
				return of.String() + "." + of.Field(f).Name + ": " + why
			}
		}
	case reflect.Interface:
		for m := range of.NumMethod() {
			method := of.Method(m).Type
			for i := range method.NumIn() {
				if why := notAValue(method.In(i)); why != "" {
					return of.String() + "." + of.Method(m).Name + ": " + why
				}
			}
			for i := range method.NumOut() {
				if why := notAValue(method.Out(i)); why != "" {
					return of.String() + "." + of.Method(m).Name + ": " + why
				}
			}
		}
	}
	return ""
}
