package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/alikafka-exporter/alikafka-exporter/internal/api"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"SaslUserList":{"SaslUserVO":[{"Username":"a","Password":"hunter2"},{"Password": "x\"y" ,"Type":"plain"}]}}`:                 `{"SaslUserList":{"SaslUserVO":[{"Username":"a","Password":"<secret>"},{"Password": "<secret>" ,"Type":"plain"}]}}`,
		`{"password":{"a":["Password",1]},"Password":null,"b":"Password"}`:                                                             `{"password":"<secret>","Password":"<secret>","b":"Password"}`,
		`{"a":["Password","hunter"],"b":{"c":"Password","d":1},"Pass\u0077ord":1}`:                                                     `{"a":["Password","hunter"],"b":{"c":"Password","d":1},"Pass\u0077ord":"<secret>"}`,
		`<?xml version="1.0"?><R><U><Password>hunter2</Password><Username>a</Username></U><U><Password/></U><Password></Password></R>`: `<?xml version="1.0"?><R><U><Password>&lt;secret&gt;</Password><Username>a</Username></U><U><Password/></U><Password>&lt;secret&gt;</Password></R>`,
		`<R><password kind="x"><a>hunter2</a><![CDATA[</password>]]></password ></R>`:                                                  `<R><password kind="x">&lt;secret&gt;</password ></R>`,
		"":  "",
		"7": "7",
	} {
		got, err := api.Redact([]byte(body))
		if err != nil || string(got) != want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", body, got, err, want)
		}
	}
	for _, body := range []string{`{"Password":"hunter2"`, `{"Password":hunter2}`, `<R><Password>hunter2</R>`, `<R><Password>hunter2`, `<R Password="hunter2"/>`, "hunter2"} {
		got, err := api.Redact([]byte(body))
		if err == nil || len(got) > 0 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %s, %v", body, got, err)
		}
	}
	for action, ref := range references(t) {
		for form, body := range ref.replies() {
			got, err := api.Redact([]byte(body))
			if err != nil || (string(got) != body) != (action == "DescribeSaslUsers") {
				t.Errorf("%s %s: %v\n%s", action, form, err, got)
			}
		}
	}
}

// FuzzRedact checks that whatever the password is, none of it is left, and
// that the rest stays.
func FuzzRedact(f *testing.F) {
	f.Add("hunter2", "alice")
	f.Add(`"}`, `\`)
	f.Fuzz(func(t *testing.T, password, username string) {
		type user struct{ Password, Username string }
		body, err := json.Marshal(map[string]any{"SaslUserList": []user{{password, username}, {username, password}}})
		if err != nil {
			t.Skip()
		}
		got, err := api.Redact(body)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(map[string]any{"SaslUserList": []user{{"\x00", username}, {"\x00", password}}})
		if string(got) != strings.ReplaceAll(string(want), `"Password":"\u0000"`, `"Password":"<secret>"`) {
			t.Errorf("%s\nis %s", body, got)
		}
	})
}
