#!/usr/bin/env bash
# Builds the tools that the named folders pin, into .cache/bin. What is there
# already from the same go.mod, go.sum and Go release is kept.
#
#	tools/build.sh prometheus golangci
set -euo pipefail
GO=${GO:-go}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${TOOLS_BIN:-$(dirname "$here")/.cache/bin}
mkdir -p "$bin"

# A network that fails now and then is no reason to fail: go itself asks once.
fetch() {
	for pause in 2 10 30; do
		! GOWORK=off "$GO" list -deps -tags="$(cat tags 2>/dev/null)" tool >/dev/null || return 0
		echo "tools: once more in $pause s" >&2
		sleep "$pause"
	done
}

for tool in "$@"; do
	cd "$here/$tool"
	stamp="$bin/.$tool.stamp"
	want=$({ "$GO" version; cat go.mod go.sum tags; } 2>/dev/null | sha256sum | cut -d' ' -f1) || true
	if [[ -n $want && $(cat "$stamp" 2>/dev/null) == "$want" ]]; then
		continue
	fi
	start=$SECONDS
	echo "tools: building $tool"
	rm -f "$stamp"
	fetch
	GOWORK=off CGO_ENABLED=0 "$GO" build -buildvcs=false -trimpath -ldflags='-s -w' \
		-tags="$(cat tags 2>/dev/null)" -o "$bin/" tool
	echo "$want" >"$stamp"
	echo "tools: built $tool in $((SECONDS - start)) s"
done
