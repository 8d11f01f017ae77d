package all

import "testing"

func TestKinds(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, k := range Kinds() {
		name := k.Name()
		if name == "" || names[name] {
			t.Errorf("a kind without a name, or with another's: %q", name)
		}
		names[name] = true
		if found, ok := ByName(name); !ok || found.Name() != name {
			t.Errorf("%s: not found by its name", name)
		}
	}
	if len(names) == 0 {
		t.Error("there is no kind")
	}
	if _, ok := ByName("pigeon"); ok {
		t.Error("a kind that does not exist is found")
	}
}
