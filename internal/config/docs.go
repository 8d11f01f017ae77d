package config

import (
	"fmt"
	"reflect"
	"strings"
)

// list is what follows the placeholder of a field that takes several values.
func list(f Field) string {
	if reflect.TypeFor[Config]().Field(f.index).Type.Kind() == reflect.Slice {
		return ",..."
	}
	return ""
}

// Markdown is the text of docs/config.md, made from the tags of [Config].
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from internal/config by: go generate ./internal/config. Do not edit. -->

` + "`peal serve`" + ` takes each setting as a flag, as an environment variable, or from a file that ` + "`--config FILE`" + ` or
` + "`PEAL_CONFIG`" + ` names. A flag wins over the environment, the environment over the file, the file over the default.
The two keys and the database's URL have no flag, for a command line can be read by everyone on the machine.

The file has lines such as ` + "`PEAL_LISTEN=0.0.0.0:7325`" + `, as systemd's ` + "`EnvironmentFile`" + ` has them: blank lines and
lines that begin with ` + "`#`" + ` are skipped, a value may stand in quotes. Unknown keys are refused.

| Flag | Environment | Default | Meaning |
| --- | --- | --- | --- |
`)
	for _, f := range Fields() {
		flag := "none"
		if f.Flag != "" {
			flag = "`--" + f.Flag + "`"
			if f.Placeholder != "" {
				flag = "`--" + f.Flag + "=" + f.Placeholder + list(f) + "`"
			}
		}
		def := "none"
		if f.Default != "" {
			def = "`" + f.Default + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", flag, f.Env, def, f.Help)
	}
	return b.String()
}
