// Package natstest runs real NATS clusters inside a test's process: servers with routes between them, and files.
package natstest
