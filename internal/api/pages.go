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
	Total  int // as the cloud counts them; 0 where it does not, or counts another number every time
}

// Error implements error.
func (e *IncompleteError) Error() string {
	if e.Total == 0 {
		return fmt.Sprintf("%s: incomplete listing: %d items, and more", e.Action, e.Got)
	}
	return fmt.Sprintf("%s: incomplete listing: %d of %d items", e.Action, e.Got, e.Total)
}

// ListCalls returns how many calls a listing of so many objects takes.
func ListCalls(objects int) float64 { return float64(max(1, (objects+pageSize-1)/pageSize)) }

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
// distinct items do not add up to it, the listing starts again. One that comes
// out the same twice, with as many items as Total says, is the truth all the
// same: the cloud then counts wrongly or lists something twice. It never asks
// past the last page, which the service answers with an error.
func listPages[T any](action string, name func(T) string, fetch func(page int) ([]T, *int, error)) ([]T, error) {
	var last listing[T]
	for n := range maxListings {
		l, err := readPages(name, fetch)
		if err != nil {
			return nil, err
		}
		again := n > 0 && l.whole() && last.whole() && len(l.items) == len(last.items) && l.total == last.total
		if l.total == len(l.items) || again {
			return l.items, nil
		}
		last = l
	}
	return nil, &IncompleteError{Action: action, Got: len(last.items), Total: max(0, last.total)}
}

// listing is what came of reading all pages once.
type listing[T any] struct {
	items []T // distinct
	came  int // with repetitions
	total int // as the cloud counts them; -1 when that changed on the way
}

func (l listing[T]) whole() bool { return l.total >= 0 && l.came >= l.total }

// readPages reads pages until Total items came, or a page brought nothing
// new.
func readPages[T any](name func(T) string, fetch func(page int) ([]T, *int, error)) (l listing[T], err error) {
	seen := map[string]bool{}
	for page := 1; page <= maxPages; page++ {
		items, total, err := fetch(page)
		if err != nil {
			return l, err
		}
		before := len(l.items)
		for _, item := range items {
			if n := name(item); !seen[n] {
				seen[n] = true
				l.items = append(l.items, item)
			}
		}
		l.came += len(items)
		switch {
		case total == nil: // the service does not page
			l.total = len(l.items)
			return l, nil
		case page > 1 && *total != l.total:
			l.total = -1
			return l, nil
		}
		l.total = *total
		if l.whole() || len(l.items) == before {
			return l, nil
		}
	}
	return l, nil
}
