// Package exposition serves metric pages that are ready before they are asked
// for. Whoever knows the samples publishes them in blocks of lines; a block is
// deflated once, when it changes, and a scrape is a concatenation of what is
// there.
//
// Deflated data can be joined at sync flushes, so one gzip member is made of
// header, blocks, an empty last deflate block, and a trailer whose CRC-32
// follows from those of the blocks. Members joined whole would be simpler, but
// curl and browsers stop reading after the first one.
//
// The current page is an immutable tree behind one pointer: a scrape takes the
// pointer and needs no lock, a publish replaces the leaves that it touches and
// swaps the pointer. A page knows nothing of what its samples mean.
package exposition
