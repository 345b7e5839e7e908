package main
import "context"
func readers(context.Context, options, *stage) error {return nil}
func footprint(context.Context, options) error {return nil}
func reply(context.Context, options) error {return nil}
