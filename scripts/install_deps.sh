#!/bin/sh
# Installs the Debian packages that a script of this project needs, and does nothing where they are there already.
#
# install_deps.sh build   what building the library and the command takes (for the demonstration)
# install_deps.sh         that and what the tests take: both compilers, cmocka, the formatter
#
# Without root, sudo or apt-get it names what is missing and exits with 1.
set -eu

# A package, and how to tell that what it brings is there, wherever it came from: cmd NAME, pc MODULE, c HEADER (gcc
# includes it) or clang FLAG (clang links with it).
build_table() {
    cat <<TABLE
gcc             cmd gcc
libc6-dev       c stdio.h
cmake           cmd cmake
ninja-build     cmd ninja
pkg-config      cmd pkg-config
libjansson-dev  pc jansson
TABLE
}

test_table() {
    cat <<TABLE
g++                  cmd g++
clang                cmd clang
libomp-14-dev        clang -fopenmp
libclang-rt-14-dev   clang -fsanitize=address,undefined
libcmocka-dev        c cmocka.h
clang-format-14      cmd clang-format-14
python3              cmd python3
mandoc               cmd mandoc
TABLE
}

compiles() {
    compiler=$1 header=$2
    shift 2
    printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <%s>\n%s\n' \
        "$header" "int main(void) { return 0; }" | "$compiler" -x c - -o /dev/null "$@" 2>/dev/null
}

is_there() {
    case $1 in
    cmd) command -v "$2" >/dev/null ;;
    pc) pkg-config --exists "$2" 2>/dev/null ;;
    c) compiles gcc "$2" ;;
    clang) compiles clang stdio.h "$2" ;;
    esac
}

# Prints the packages of a table, read from standard input, whose check fails.
missing_of() {
    while read -r package kind what; do
        is_there "$kind" "$what" </dev/null || printf ' %s' "$package"
    done
}

find_missing() {
    build_table | missing_of
    [ "$1" = build ] || test_table | missing_of
}

install_packages() {
    if [ "$(id -u)" = 0 ]; then
        as_root=
    else
        as_root="sudo -n"
    fi
    export DEBIAN_FRONTEND=noninteractive
    options="-y -q --no-install-recommends -o Dpkg::Use-Pty=0"
    # A bare system has no lists of packages yet, and old lists name files that are gone.
    # shellcheck disable=SC2086 (lists of words)
    apt-get install -s $options "$@" >/dev/null 2>&1 || $as_root apt-get update -q </dev/null
    # shellcheck disable=SC2086
    $as_root apt-get install $options "$@" </dev/null ||
        { $as_root apt-get update -q </dev/null && $as_root apt-get install $options "$@" </dev/null; }
}

can_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

what=${1:-test}
missing=$(find_missing "$what")
[ -n "$missing" ] || exit 0
if ! can_install; then
    echo "install_deps: please install, under their Debian names:$missing" >&2
    exit 1
fi
echo "install_deps: installing$missing"
# shellcheck disable=SC2086 (a list of words)
install_packages $missing
missing=$(find_missing "$what")
[ -z "$missing" ] || { echo "install_deps: still missing after the installation:$missing" >&2; exit 1; }
