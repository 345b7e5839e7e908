package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

// TestEveryRequestTypeHasItsRow compares the table with the declarations.
func TestEveryRequestTypeHasItsRow(t *testing.T) {
	t.Parallel()
	var declared, listed []string
	find := func(n ast.Node) bool {
		ts, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		st, ok := ts.Type.(*ast.StructType)
		if !ok || len(st.Fields.List) == 0 {
			return true
		}
		if ix, ok := st.Fields.List[0].Type.(*ast.IndexExpr); ok {
			if id, ok := ix.X.(*ast.Ident); ok && id.Name == "Returns" {
				declared = append(declared, ts.Name.Name)
			}
		}
		return true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, find)
	}
	for _, a := range api.Actions() {
		listed = append(listed, a.Name)
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if d := cmp.Diff(declared, listed); d != "" {
		t.Errorf("-declared +listed:\n%s", d)
	}
}

func TestRequestsAreRefusedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	_, err := api.EncodeForTest(api.GetTopicStatus{InstanceID: "i"})
	if err == nil || err.Error() != "GetTopicStatus: Topic is required" {
		t.Errorf("got %v", err)
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	got, err := api.EncodeForTest(api.ListTagResources{
		RegionID: "cn-hangzhou", ResourceType: "INSTANCE", ResourceIDs: []string{"a", "b"}, Tags: []api.Tag{{Key: "k"}, {Key: "l", Value: "v"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"RegionId": "cn-hangzhou", "ResourceType": "INSTANCE", "ResourceId.1": "a", "ResourceId.2": "b",
		"Tag.1.Key": "k", "Tag.2.Key": "l", "Tag.2.Value": "v",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	a, _ := api.Lookup("ListTagResources")
	for name, known := range map[string]bool{"Tag.1.Key": true, "Tag.12.Value": true, "ResourceId.3": true, "ResourceId": false, "ResourceId.0": false, "ResourceId.x": false, "Tag.1": false} {
		if _, ok := a.Param(name); ok != known {
			t.Errorf("parameter %s known: %t", name, ok)
		}
	}
}
