package store

import "database/sql"

// pool is connections that read, with the words of their database.
type pool struct {
	*sql.DB

	d *dialect
}
