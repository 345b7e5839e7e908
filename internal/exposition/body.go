package exposition

import (
	"slices"
	"sort"
	"strings"
)

// key names a block within its family.
type key struct{ instance, bucket string }

func (k key) compare(l key) int {
	if c := strings.Compare(k.instance, l.instance); c != 0 {
		return c
	}
	return strings.Compare(k.bucket, l.bucket)
}

// block is what is kept of a block besides its key and its deflated bytes.
type block struct {
	hash  uint64 // of the text, to know it again
	crc   uint32
	shift uint32
	text  uint32
	end   uint32 // of its bytes in the leaf
}

// leaf is a run of neighbouring blocks of a family, their bytes in one piece.
// It is immutable.
type leaf struct {
	keys   []key
	blocks []block
	packed []byte
	sum    sum
}

// Leaves are large enough to be written as they are, and small enough to be
// copied whenever one of their blocks changes.
const (
	leafWeight  = 64 << 10
	blockWeight = 256 // of a block besides its bytes: at most 256 blocks a leaf
)

func (l *leaf) first() key  { return l.keys[0] }
func (l *leaf) last() key   { return l.keys[len(l.keys)-1] }
func (l *leaf) weight() int { return len(l.packed) + blockWeight*len(l.keys) }

// bytes returns the deflated bytes of blocks from to to.
func (l *leaf) bytes(from, to int) []byte {
	start := uint32(0)
	if from > 0 {
		start = l.blocks[from-1].end
	}
	return l.packed[start:l.blocks[to-1].end]
}

// summed returns the sum of blocks from to to.
func (l *leaf) summed(from, to int) sum {
	s := total(to-from, func(i int) sum { return l.blocks[from+i].sum() })
	s.packed = int64(len(l.bytes(from, to)))
	return s
}

// sum returns the sum of the block, without its deflated bytes.
func (b block) sum() sum {
	return sum{crc: b.crc, shift: b.shift, text: int64(b.text)}
}

// body is all blocks of a family, sorted by key. It is immutable; nil is the
// empty one.
type body struct {
	leaves []*leaf
	sum    sum
}

// find returns the block of that key.
func (b *body) find(k key) (block, bool) {
	if b == nil {
		return block{}, false
	}
	n := sort.Search(len(b.leaves), func(n int) bool { return b.leaves[n].last().compare(k) >= 0 })
	if n == len(b.leaves) {
		return block{}, false
	}
	i, ok := slices.BinarySearchFunc(b.leaves[n].keys, k, key.compare)
	if !ok {
		return block{}, false
	}
	return b.leaves[n].blocks[i], true
}

// each visits runs of blocks, in order: those of an instance, or all of them
// when instance is empty.
func (b *body) each(instance string, visit func(l *leaf, from, to int)) {
	if instance != "" {
		b.within(instance, visit)
		return
	}
	if b != nil {
		for _, l := range b.leaves {
			visit(l, 0, len(l.keys))
		}
	}
}

// within visits the blocks of an instance, in order.
func (b *body) within(instance string, visit func(l *leaf, from, to int)) {
	if b == nil {
		return
	}
	n := sort.Search(len(b.leaves), func(n int) bool { return b.leaves[n].last().instance >= instance })
	for _, l := range b.leaves[n:] {
		if l.first().instance > instance {
			return
		}
		from := sort.Search(len(l.keys), func(i int) bool { return l.keys[i].instance >= instance })
		to := sort.Search(len(l.keys), func(i int) bool { return l.keys[i].instance > instance })
		if from < to {
			visit(l, from, to)
		}
	}
}

// summed returns the sum of an instance's blocks, or of all when instance is
// empty.
func (b *body) summed(instance string) sum {
	switch {
	case b == nil:
		return sum{}
	case instance == "":
		return b.sum
	}
	var s sum
	b.each(instance, func(l *leaf, from, to int) {
		if to-from == len(l.keys) {
			s = s.then(l.sum)
		} else {
			s = s.then(l.summed(from, to))
		}
	})
	return s
}

// item is a block on its way into a leaf.
type item struct {
	key    key
	block  block
	packed []byte
}

func (i item) weight() int { return len(i.packed) + blockWeight }

// with returns the body with changes applied, which are sorted by key, each
// key once; a change without bytes removes. Leaves without a change are shared.
func (b *body) with(changes []item, scratch *[]item) *body {
	var old []*leaf
	if b != nil {
		old = b.leaves
	}
	leaves := make([]*leaf, 0, len(old)+1)
	for len(changes) > 0 {
		// The leaf of a change is the last one that begins at its key or before.
		n := max(0, sort.Search(len(old), func(n int) bool { return old[n].first().compare(changes[0].key) > 0 })-1)
		leaves, old = append(leaves, old[:n]...), old[n:]
		here, l := len(changes), &leaf{}
		if len(old) > 0 {
			l, old = old[0], old[1:]
		}
		if len(old) > 0 {
			here, _ = slices.BinarySearchFunc(changes, old[0].first(), func(c item, k key) int { return c.key.compare(k) })
		}
		*scratch = merge((*scratch)[:0], l, changes[:here])
		leaves, changes = appendLeaves(leaves, *scratch), changes[here:]
	}
	leaves = append(leaves, old...)
	if len(leaves) == 0 {
		return nil
	}
	return &body{leaves, total(len(leaves), func(i int) sum { return leaves[i].sum })}
}

// merge appends the blocks of l to dst, with changes applied.
func merge(dst []item, l *leaf, changes []item) []item {
	dst = slices.Grow(dst, len(l.keys)+len(changes))
	for i, k := range l.keys {
		for len(changes) > 0 && changes[0].key.compare(k) < 0 {
			dst, changes = appendItem(dst, changes[0]), changes[1:]
		}
		if len(changes) > 0 && changes[0].key == k {
			changes[0].key = k // the strings that neighbours may share
			dst, changes = appendItem(dst, changes[0]), changes[1:]
			continue
		}
		dst = append(dst, item{k, l.blocks[i], l.bytes(i, i+1)})
	}
	for _, c := range changes {
		dst = appendItem(dst, c)
	}
	return dst
}

func appendItem(dst []item, i item) []item {
	if len(i.packed) == 0 {
		return dst
	}
	return append(dst, i)
}

// appendLeaves appends leaves of about equal weight made of items, or adds the
// items to the leaf before when both are small.
func appendLeaves(leaves []*leaf, items []item) []*leaf {
	if len(items) == 0 {
		return leaves
	}
	weight := 0
	for _, i := range items {
		weight += i.weight()
	}
	if n := len(leaves); n > 0 && weight < leafWeight/4 && weight+leaves[n-1].weight() <= leafWeight {
		leaves[n-1] = newLeaf(append(merge(nil, leaves[n-1], nil), items...))
		return leaves
	}
	parts := (weight + leafWeight - 1) / leafWeight
	start, part, sofar := 0, 1, 0
	for i := range items {
		sofar += items[i].weight()
		if sofar >= weight*part/parts {
			leaves = append(leaves, newLeaf(items[start:i+1]))
			start, part = i+1, sofar*parts/weight+1
		}
	}
	return leaves
}

func newLeaf(items []item) *leaf {
	size := 0
	for _, i := range items {
		size += len(i.packed)
	}
	l := &leaf{keys: make([]key, len(items)), blocks: make([]block, len(items)), packed: make([]byte, 0, size)}
	for n, i := range items {
		l.packed = append(l.packed, i.packed...)
		l.keys[n], l.blocks[n] = i.key, i.block
		l.blocks[n].end = uint32(len(l.packed))
	}
	l.sum = l.summed(0, len(items))
	return l
}
