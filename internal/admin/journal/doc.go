// Package journal is an append-only file of records that survive a crash, and
// that show it when they were changed. It knows nothing of what they say.
//
// The journal is a directory of segments. A segment is lines of text; each line
// is a frame of four fields:
//
//	length    of the rest of the line, 8 hex digits
//	checksum  CRC-32C of the rest of the line, 8 hex digits
//	check     CRC-32C of the two fields before, 8 hex digits
//	rest      the chain's hash in hex, a space, and the record as JSON
//
// The chain's hash is SHA-256 of the previous one and the record's JSON. The
// first record of a segment names the hash that the segment continues.
//
// A record whose append returned is on the disk. A short last frame is what a
// crash left of a write that had not returned: it is cut off. A complete frame
// that is wrong is damage: nothing is cut, and nothing is appended any more.
package journal
