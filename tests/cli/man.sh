#!/bin/sh
# man.sh: the manual pages name every option that the help names, and mandoc has nothing to say against them.
pages=$(cd "$(dirname "$0")/../../man" && pwd)
. "$(dirname "$0")/common.sh"

for command in train generate run info verify bench; do
	page=$pages/sluice-$command.1
	"$sluice" $command --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p' >options.txt
	grep -q '^isa$' options.txt || complain "no options found in the help of $command"
	while read -r option; do
		[ "$option" = help ] || grep -qE -e "Fl -$option( |\$)" "$page" || complain "$page lacks --$option"
	done <options.txt
	grep -q "Xr sluice-$command 1" "$pages/sluice.1" || complain "sluice.1 lacks $command"
done
if command -v mandoc >/dev/null; then
	for page in "$pages"/*.1; do
		mandoc -T lint -W warning "$page" >&2 || complain "mandoc does not like $page"
	done
else
	echo "mandoc is not installed: the form of the pages was not checked"
fi
finish
