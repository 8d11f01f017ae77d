package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFile(t *testing.T) {
	t.Parallel()
	text := "\ufeff# Peal\n; as well\n\n  PEAL_LISTEN=0.0.0.0:80  \r\nPEAL_DATA = '/var/lib/peal \"x\" $y \\'\n" +
		`PEAL_LOG_LEVEL="a \"b\" \\ \$c \` + "`" + ` \n"` + "\nPEAL_PUBLIC_URL=\nPEAL_LOG_FORMAT=text # no comment"
	got, err := ParseFile("peal.env", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := File{
		"PEAL_LISTEN": "0.0.0.0:80", "PEAL_DATA": `/var/lib/peal "x" $y \`, "PEAL_LOG_LEVEL": "a \"b\" \\ $c ` \\n",
		"PEAL_PUBLIC_URL": "", "PEAL_LOG_FORMAT": "text # no comment",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseFile (-want +got):\n%s", diff)
	}
}

func TestParseFileRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"\nPEAL_LISTN=x", "peal.env:2: unknown key \"PEAL_LISTN\": see docs/config.md"},
		{"export PEAL_LISTEN=x", "did you mean PEAL_LISTEN?"},
		{"log-level=x", "did you mean PEAL_LOG_LEVEL?"},
		{"PEAL_LISTEN", "peal.env:1: there is no = in it"},
		{"PEAL_DATA=a\n#\nPEAL_DATA=b", "peal.env:3: PEAL_DATA is set already on line 1"},
		{`PEAL_DATA="a`, "closing quote is missing"},
		{`PEAL_DATA='a`, "closing quote is missing"},
		{`PEAL_DATA="a"b`, "text after the closing quote"},
		{`PEAL_DATA='a'b`, "text after the closing quote"},
		{`PEAL_DATA=a\`, "put the whole value in quotes"},
		{"PEAL_DATA=a\x00", "NUL"},
		{strings.Repeat("#\n", maxFileBytes/2+1), "is larger than"},
		{"#" + strings.Repeat("x", 1<<17), "token too long"},
	} {
		_, err := ParseFile("peal.env", strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseFile(%.40q): error %v, want one with %q", tt.text, err, tt.want)
		}
	}
}

func TestParseFileHidesValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`PEAL_MASTER_KEY="hush`, `PEAL_MASTER_KEY=hush\`, "PEAL_MASTER_KEY=hush\nPEAL_MASTER_KEY=hush", "PEAL_MASTER_KY=hush"} {
		if _, err := ParseFile("peal.env", strings.NewReader(text)); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("ParseFile(%q): error %v, want one without the value", text, err)
		}
	}
}

// FuzzParseFile holds that no text makes the parser panic, and that what it accepts reads the same again when
// every value is written in double quotes.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"PEAL_LISTEN=a\nPEAL_DATA='b'\nPEAL_LOG_LEVEL=\"c\"", "# c\n;\n\n", "PEAL_DATA=\"\\\"\\\\\"", "PEAL_DATA='", "=", "\ufeffPEAL_DATA=x\r\n", "PEAL_DATA=\x00",
	} {
		f.Add(seed)
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseFile("f", strings.NewReader(text))
		if err != nil {
			return
		}
		var b strings.Builder
		for key, value := range first {
			b.WriteString(key + `="` + quote.Replace(value) + "\"\n")
		}
		second, err := ParseFile("f", strings.NewReader(b.String()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, b.String())
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
	})
}
