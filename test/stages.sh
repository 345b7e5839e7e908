# shellcheck shell=bash
# Sourced by test/run and .ci/run: named stages, run to the end even when one
# fails, with a summary that says which.

passed=()
failed=()

# stage NAME COMMAND...
stage() {
	local name=$1 start=$SECONDS rc=0
	shift
	printf '\n=== %s: %s\n' "$name" "$*"
	"$@" || rc=$?
	if [[ $rc == 0 ]]; then
		passed+=("$name")
		printf '=== %s: ok (%d s)\n' "$name" $((SECONDS - start))
	else
		failed+=("$name")
		printf '=== %s: FAILED with %d (%d s)\n' "$name" "$rc" $((SECONDS - start))
	fi
}

# summary prints the outcome and fails if a stage failed.
summary() {
	printf '\n=== %s after %d s' "$1" $SECONDS
	[[ ${#failed[@]} == 0 ]] || printf '; failed: %s' "${failed[*]}"
	printf '\n%d passed, %d failed\n' ${#passed[@]} ${#failed[@]}
	[[ ${#failed[@]} == 0 ]]
}
