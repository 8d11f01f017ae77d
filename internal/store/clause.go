package store

import (
	"encoding/json"
	"strings"
	"time"
)

// clause gathers the conditions of a WHERE with their arguments; values never become part of the text.
type clause struct {
	d     *dialect
	parts []string
	args  []any
}

func (c *clause) and(cond string, args ...any) {
	c.parts = append(c.parts, cond)
	c.args = append(c.args, args...)
}

func (c *clause) equal(column, value string) {
	if value != "" {
		c.and(column+" = ?", value)
	}
}

func (c *clause) in(column string, values []string) {
	if values == nil {
		return
	}
	c.and(column+c.d.anyOf, c.d.list(values))
}

// jsonList is how a list of texts becomes one argument of SQLite.
func jsonList(values []string) string {
	list, err := json.Marshal(values)
	if err != nil {
		return "[]" // texts always marshal
	}
	return string(list)
}

func (c *clause) since(column string, t time.Time) {
	if !t.IsZero() {
		c.and(column+" >= ?", t.UnixMicro())
	}
}

func (c *clause) until(column string, t time.Time) {
	if !t.IsZero() {
		c.and(column+" < ?", t.UnixMicro())
	}
}

func (c *clause) sql() string { return strings.Join(c.parts, " AND ") }
