#!/bin/sh
# Checks that every C file is formatted as clang-format 14 formats it. Exits with 77 (skipped) where that is missing,
# because other versions format otherwise.
set -eu
cd "$(dirname "$0")/.."
for tool in clang-format-14 clang-format; do
    if "$tool" --version 2>/dev/null | grep -q "version 14\."; then
        folders=
        for folder in include compat src check tools tests examples bench; do
            [ ! -d "$folder" ] || folders="$folders $folder"
        done
        # shellcheck disable=SC2086 (a list of words)
        find $folders -name '*.[ch]' -exec "$tool" --dry-run -Werror {} +
        exit
    fi
done
echo "format: skipped, clang-format 14 is not installed"
exit 77
