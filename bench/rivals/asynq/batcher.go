package main

import (
	"context"
	"sync"
)

// batcher gathers what waits while earlier batches are being written, and writes it at once: nobody waits for a timer,
// and the busier it is the larger the batches.
type batcher[T any] struct {
	in    chan item[T]
	write func(context.Context, []T) error
	wg    sync.WaitGroup
}

type item[T any] struct {
	value T
	done  chan<- error
}

// newBatcher writes with so many writers, batches of up to max.
func newBatcher[T any](writers, most int, write func(context.Context, []T) error) *batcher[T] {
	b := &batcher[T]{in: make(chan item[T], most), write: write}
	for range writers {
		b.wg.Go(func() { b.run(most) })
	}
	return b
}

// do returns once all values are written.
func (b *batcher[T]) do(values ...T) error {
	done := make(chan error, len(values))
	for _, v := range values {
		b.in <- item[T]{v, done}
	}
	var first error
	for range values {
		if err := <-done; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (b *batcher[T]) run(most int) {
	var (
		items  []item[T]
		values []T
	)
	for it := range b.in {
		items, values = append(items[:0], it), append(values[:0], it.value)
	gather:
		for len(items) < most {
			select {
			case it, ok := <-b.in:
				if !ok {
					break gather
				}
				items, values = append(items, it), append(values, it.value)
			default:
				break gather
			}
		}
		// What was taken on is finished, whoever has gone meanwhile.
		err := b.write(context.Background(), values)
		for _, it := range items {
			it.done <- err
		}
	}
}

func (b *batcher[T]) close() {
	close(b.in)
	b.wg.Wait()
}
