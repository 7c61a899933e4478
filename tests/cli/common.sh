# common.sh: what the tests of the command share; sourced by each of them, which ctest calls with the command as $1.
# shellcheck shell=sh disable=SC2034
set -u
sluice=$1
folder=$(mktemp -d "${TMPDIR:-/tmp}/sluice-cli-XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failures=0

complain() {
	echo "FAILED: $*" >&2
	failures=$((failures + 1))
}

# expect CODE PHRASE COMMAND...: runs it; it must exit with the code and its output must contain the phrase.
expect() {
	code=$1 phrase=$2
	shift 2
	"$@" >out.txt 2>&1 </dev/null
	got=$?
	if [ "$got" -ne "$code" ]; then
		complain "exit code $got instead of $code: $*"
		cat out.txt >&2
	elif ! grep -qF -e "$phrase" out.txt; then
		complain "no \"$phrase\" from: $*"
		cat out.txt >&2
	fi
}

# same LEFT RIGHT: the files must be equal.
same() {
	cmp "$1" "$2" >&2 || complain "$1 and $2 differ"
}

# A text of about so many characters, always the same.
make_text() {
	awk -v size="$1" 'BEGIN {
		split("the a cat dog saw ran and then to from river hill, slowly! two old", word, " ")
		random = 1
		while (length(line) + written < size) {
			random = (random * 16807) % 2147483647
			line = line word[random % 15 + 1] (random % 7 ? " " : "\n")
			if (length(line) > 1000) { printf "%s", line; written += length(line); line = "" }
		}
		printf "%s", line
	}'
}

finish() {
	[ "$failures" -eq 0 ] || exit 1
	exit 0
}
