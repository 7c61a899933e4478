#!/bin/sh
# Installs sluice, moves the installed tree, and builds the programs of this folder against it with find_package and
# with pkg-config, in C and in C++.
#
# consumer.sh static BUILD        installs the build tree BUILD as it is
# consumer.sh shared BUILD ARCH   builds and installs a shared library, in lib/ARCH if ARCH is given
#
# The environment gives CC, CXX, CMAKE, CMAKE_GENERATOR and PYTHON; SOURCE is the root of the sources.
set -eu
kind=$1 build=$2 arch=${3:-}
here=$SOURCE/tests/consumer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
moved="$work/moved to here"
libdir=lib${arch:+/$arch}

fail() {
    echo "consumer: $*" >&2
    exit 1
}

install_static() {
    libdir=$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")
    "$CMAKE" --install "$build" --prefix "$work/installed" >"$work/log"
}

install_shared() {
    "$CMAKE" -S "$SOURCE" -B "$work/build" -DCMAKE_C_COMPILER="$CC" -DBUILD_SHARED_LIBS=ON \
        -DBUILD_TESTING=OFF -DCMAKE_INSTALL_LIBDIR="$libdir" -DCMAKE_INSTALL_PREFIX="$work/installed" >"$work/log"
    "$CMAKE" --build "$work/build" -j2 --target install >>"$work/log" || { cat "$work/log"; fail "build failed"; }
    if grep -rl sluice_rules "$work/installed/$libdir/cmake" >&2; then
        fail "the package mentions sluice_rules"
    fi
}

# A package that still works after a move names no place of its own.
move() {
    mv "$work/installed" "$moved"
    if grep -rlF "$work/installed" "$moved/$libdir/cmake" "$moved/$libdir/pkgconfig" >&2; then
        fail "these files name the place of installation"
    fi
    "$moved/bin/sluice" --version || fail "the installed command does not run"
}

use_find_package() {
    "$CMAKE" -S "$here" -B "$work/find" -DCMAKE_PREFIX_PATH="$moved" -DCMAKE_C_COMPILER="$CC" \
        -DCMAKE_CXX_COMPILER="$CXX" >"$work/log"
    "$CMAKE" --build "$work/find" -j2 >"$work/log" || { cat "$work/log"; fail "find_package: build failed"; }
    for program in consumer_c consumer_cpp core bnns_c bnns_cpp accelerate mpsgraph_c mpsgraph_cpp \
        mps_c mps_cpp; do
        (cd "$work" && "$work/find/$program") || fail "find_package: $program failed"
    done
    echo "find_package ($kind): C, C++, the core alone, BNNS, MPSGraph and MPS"
}

# compile LANGUAGE COMPILER SOURCE PACKAGE PKG_CONFIG_OPTION...: pkg-config quotes blanks, hence eval.
compile() {
    language=$1 compiler=$2 source=$3 package=$4
    shift 4
    flags=$(pkg-config --cflags "$package")
    libraries=$(pkg-config --libs "$@" "$package")
    version=$(pkg-config --modversion "$package")
    eval "\"\$compiler\" -Wall -Wextra -Wpedantic -Werror -DEXPECTED_VERSION='\"$version\"' $flags \
        -x $language \"\$here/\$source\" -x none $libraries -o \"\$work/program\"" ||
        fail "pkg-config: $source does not build as $language"
    (cd "$work" && LD_LIBRARY_PATH="$moved/$libdir" ./program) || fail "pkg-config: $source as $language failed"
}

use_pkg_config() {
    PKG_CONFIG_PATH="$moved/$libdir/pkgconfig"
    export PKG_CONFIG_PATH
    compile c "$CC" consumer.c sluice-io
    compile c++ "$CXX" consumer.c sluice-io
    compile c "$CC" core.c sluice
    compile c "$CC" bnns.c sluice-bnns
    compile c++ "$CXX" bnns.c sluice-bnns
    compile c "$CC" accelerate.c sluice-bnns
    compile c "$CC" mpsgraph.c sluice-mpsgraph
    compile c++ "$CXX" mpsgraph.c sluice-mpsgraph
    compile c "$CC" mps.c sluice-mps
    compile c++ "$CXX" mps.c sluice-mps
    if [ "$kind" = static ]; then
        compile c "$CC" consumer.c sluice-io --static
        compile c "$CC" core.c sluice --static
        compile c "$CC" accelerate.c sluice-bnns --static
        compile c "$CC" mpsgraph.c sluice-mpsgraph --static
        compile c "$CC" mps.c sluice-mps --static
    fi
    echo "pkg-config ($kind): C, C++, the core alone, BNNS, MPSGraph and MPS"
}

# What docs/APPLE.md promises of a program for macOS: one -I, one -l.
use_accelerate() {
    "$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$moved/include/sluice/compat" "$here/accelerate.c" \
        -L"$moved/$libdir" -lsluice-bnns -o "$work/program" || fail "accelerate.c does not build with one -I and one -l"
    LD_LIBRARY_PATH="$moved/$libdir" "$work/program" || fail "accelerate.c failed with one -I and one -l"
    echo "Accelerate ($kind): one -I, one -l"
}

"install_$kind"
move
use_find_package
use_pkg_config
if [ "$kind" = shared ]; then
    use_accelerate
    "$PYTHON" "$SOURCE/scripts/check_symbols.py" "$moved/$libdir/libsluice.so" "$moved/$libdir/libsluice-io.so" \
        "$moved/$libdir/libsluice-bnns.so" "$moved/$libdir/libsluice-mpsgraph.so" "$moved/$libdir/libsluice-mps.so"
fi
