#!/usr/bin/env bash
# Installs what is missing, builds with gcc and with clang, and runs the tests: all of them with gcc, the quick ones
# with clang and once more under AddressSanitizer and UndefinedBehaviorSanitizer, and that of threads under
# ThreadSanitizer. Exits with 1 if anything fails.
#
# Builds lie in build/test-*; they are kept, so that a second run is quick. TEST_JOBS sets how many jobs run at once.
set -euo pipefail
exec </dev/null
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=${TEST_JOBS:-$(nproc)}
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
start=$SECONDS
failed=()

say() {
    printf '\n==== %s (%d s)\n' "$*" $((SECONDS - start))
}

# round NAME TARGET CTEST_OPTIONS CMAKE_OPTION...: configures, builds and tests one build.
round() {
    local name=$1 target=$2 tests=$3 tree=$root/build/test-$1
    shift 3
    say "$name: build"
    if ! cmake -S "$root" -B "$tree" -G Ninja -DSLUICE_WERROR=ON "$@" >"$TMPDIR/configure" 2>&1; then
        cat "$TMPDIR/configure"
        failed+=("$name: configuration")
        return
    fi
    if ! cmake --build "$tree" -j "$jobs" --target "$target"; then
        failed+=("$name: build")
        return
    fi
    say "$name: tests"
    # shellcheck disable=SC2086 (lists of words)
    (cd "$tree" && $launcher ctest --output-on-failure -j2 --no-tests=error $tests) || failed+=("$name: tests")
}

sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1

sh "$root/scripts/install_deps.sh"
launcher=
round gcc all "" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=gcc
round clang all "-L quick" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang
round sanitizers all "-L quick" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang \
    -DCMAKE_C_FLAGS="$sanitizers" -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O1 -g"
# ThreadSanitizer does not see the barriers of OpenMP, and finds no room where addresses are scattered too far.
! setarch -R true 2>/dev/null || launcher="setarch -R"
round threads test_threads "-R ^threads$" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang \
    -DSLUICE_OPENMP=OFF -DCMAKE_C_FLAGS="-fsanitize=thread -fno-omit-frame-pointer" \
    -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O1 -g"

if [ ${#failed[@]} -gt 0 ]; then
    say "FAILED: $(printf '%s; ' "${failed[@]}")"
    exit 1
fi
say "everything passed: gcc, clang, sanitizers and threads"
