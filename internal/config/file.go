package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxFileBytes bounds a configuration file.
const maxFileBytes = 1 << 20

// File is a parsed configuration file: values by their PEAL_* key.
type File map[string]string

// Lookup gives the value of a key and whether the file has it. A nil File has none.
func (f File) Lookup(env string) (string, bool) {
	v, ok := f[env]
	return v, ok
}

// ReadFile reads and parses the file called name.
func ReadFile(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--config (PEAL_CONFIG): %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	return ParseFile(name, f)
}

// ParseFile parses lines of KEY=value as systemd's EnvironmentFile has them: blank lines and lines that begin
// with # or ; are skipped, a value may stand in single quotes (as it is) or double quotes (with \" \\ \$ \`).
// What systemd would read in a way that is easily missed is refused: unknown keys, a key twice, a backslash
// outside quotes, text after a closing quote. Errors name the line and never show a value.
func ParseFile(name string, r io.Reader) (File, error) {
	known := make([]string, 0, len(Fields()))
	for _, f := range Fields() {
		known = append(known, f.Env)
	}
	file, seen := File{}, map[string]int{}
	limited := &io.LimitedReader{R: r, N: maxFileBytes + 1}
	lines := bufio.NewScanner(limited)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, value, err := parseLine(line, known)
		if err == nil && seen[key] != 0 {
			err = fmt.Errorf("%s is set already on line %d: keep one of them", key, seen[key])
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		file[key], seen[key] = value, n
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("%s is larger than %d bytes: is it the right file?", name, maxFileBytes)
	}
	return file, nil
}

func parseLine(line string, known []string) (key, value string, err error) {
	key, raw, found := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	if !found {
		return "", "", errors.New("there is no = in it: write KEY=value, or # before a comment")
	}
	if !slices.Contains(known, key) {
		return "", "", fmt.Errorf("unknown key %.64q: see docs/config.md for those there are%s", key, suggest(key, known))
	}
	value, err = parseValue(strings.TrimSpace(raw))
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", key, err)
	}
	return key, value, nil
}

// suggest names the known key that was probably meant.
func suggest(key string, known []string) string {
	bare := strings.ToUpper(strings.NewReplacer("-", "_", " ", "").Replace(strings.TrimPrefix(key, "export ")))
	for _, guess := range []string{bare, "PEAL_" + bare} {
		if slices.Contains(known, guess) {
			return "; did you mean " + guess + "?"
		}
	}
	return ""
}

func parseValue(raw string) (string, error) {
	if strings.ContainsRune(raw, 0) {
		return "", errors.New("there is a NUL byte in it")
	}
	if raw == "" {
		return "", nil
	}
	switch raw[0] {
	case '\'':
		value, rest, found := strings.Cut(raw[1:], "'")
		return value, afterQuote(found, rest)
	case '"':
		return parseDoubleQuoted(raw[1:])
	}
	if strings.ContainsAny(raw, `\"'`) {
		return "", errors.New("a quote or backslash is in it: put the whole value in quotes")
	}
	return raw, nil
}

func parseDoubleQuoted(raw string) (string, error) {
	var value strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return value.String(), afterQuote(true, raw[i+1:])
		case c == '\\' && i+1 < len(raw) && strings.IndexByte("\"\\$`", raw[i+1]) >= 0:
			i++
			value.WriteByte(raw[i])
		default:
			value.WriteByte(c)
		}
	}
	return "", afterQuote(false, "")
}

func afterQuote(closed bool, rest string) error {
	switch {
	case !closed:
		return errors.New("the closing quote is missing: a value ends on its own line")
	case rest != "":
		return errors.New("there is text after the closing quote")
	}
	return nil
}
