# Counts the lines of a page that is sent deflated. There must be one gzip
# member and nothing after it.
import sys
import urllib.request
import zlib

reply = urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"Accept-Encoding": "gzip"}))
assert reply.headers["Content-Encoding"] == "gzip"
member, lines = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), 0
while chunk := reply.read(1 << 16):
    lines += member.decompress(chunk).count(b"\n")
assert member.eof and not member.unused_data
print(lines)
