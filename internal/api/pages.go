package api

import (
	"context"
	"fmt"
)

const (
	// pageSize is what is asked for; how many come is what counts.
	pageSize = 100
	// maxPages and maxListings bound a listing whose Total never fits.
	maxPages    = 10_000
	maxListings = 3
)

// IncompleteError is a listing that could not be completed although every
// call succeeded: the cloud kept changing, or answered pages that cannot be.
// What is missing from it says nothing about what exists.
type IncompleteError struct {
	Action string
	Got    int // distinct items
	Total  int // as the cloud counts them
}

// Error implements error.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("%s: incomplete listing: %d of %d items", e.Action, e.Got, e.Total)
}

// ListTopics returns all topics of an instance. CurrentPage and PageSize of q
// are ignored.
func ListTopics(ctx context.Context, c *Client, q GetTopicList) ([]Topic, error) {
	return listPages("GetTopicList", func(t Topic) string { return t.Topic }, func(page int) ([]Topic, *int, error) {
		q.CurrentPage, q.PageSize = page, pageSize
		r, err := Call(ctx, c, q)
		return r.Topics, r.Total, err
	})
}

// ListConsumerGroups returns all consumer groups of an instance. Where the
// service does not page, the first answer is the whole list.
func ListConsumerGroups(ctx context.Context, c *Client, q GetConsumerList) ([]ConsumerGroup, error) {
	return listPages("GetConsumerList", func(g ConsumerGroup) string { return g.ConsumerID }, func(page int) ([]ConsumerGroup, *int, error) {
		q.CurrentPage, q.PageSize = page, pageSize
		r, err := Call(ctx, c, q)
		return r.Groups, r.Total, err
	})
}

// ListTags returns all tags that q selects. NextToken of q is ignored.
func ListTags(ctx context.Context, c *Client, q ListTagResources) ([]ResourceTag, error) {
	var all []ResourceTag
	q.NextToken = ""
	seen := map[string]bool{}
	for len(seen) < maxPages {
		r, err := Call(ctx, c, q)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Tags...)
		if r.NextToken == "" {
			return all, nil
		}
		if seen[r.NextToken] {
			break // the token repeats: the pages go round
		}
		seen[r.NextToken] = true
		q.NextToken = r.NextToken
	}
	return nil, &IncompleteError{Action: "ListTagResources", Got: len(all)}
}

// listPages reads all pages of a listing. Objects that come or go while it
// runs shift the pages, so that one may be missed: when Total changes, or the
// distinct items do not add up to it, the listing starts again. It never asks
// past the last page, which the service answers with an error.
func listPages[T any](action string, name func(T) string, fetch func(page int) ([]T, *int, error)) ([]T, error) {
	incomplete := &IncompleteError{Action: action}
	for range maxListings {
		all, total, err := readPages(name, fetch)
		if err != nil {
			return nil, err
		}
		if total == len(all) {
			return all, nil
		}
		incomplete.Got, incomplete.Total = len(all), total
	}
	return nil, incomplete
}

// readPages reads pages until Total items came, or a page brought nothing
// new. It returns the distinct items and how many there should be: -1 when
// Total changed on the way.
func readPages[T any](name func(T) string, fetch func(page int) ([]T, *int, error)) (all []T, total int, err error) {
	seen := map[string]bool{}
	for page := 1; page <= maxPages; page++ {
		items, t, err := fetch(page)
		if err != nil {
			return nil, 0, err
		}
		before := len(all)
		for _, item := range items {
			if n := name(item); !seen[n] {
				seen[n] = true
				all = append(all, item)
			}
		}
		switch {
		case t == nil: // the service does not page
			return all, len(all), nil
		case page > 1 && *t != total:
			return all, -1, nil
		}
		total = *t
		if len(all) >= total || len(all) == before {
			return all, total, nil
		}
	}
	return all, total, nil
}
