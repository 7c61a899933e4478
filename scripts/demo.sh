#!/bin/sh
# demo.sh [FILE...]: builds sluice, trains it on text for about two minutes and shows what it has learnt.
#
# The text is that of the files, or without any the project's own sources and documents. Everything lands in build/demo;
# the model, the loss curve and the log in build/demo/out. Fails unless the network predicts the text better than an
# order-2 n-gram model, and unless single steps give the same bits as whole sequences.
set -eu

repository=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$repository/build/demo
out=$build/out

# One layer of 256 units fits into the second-level cache, and learns most in the time that is given.
network="--hidden 256 --layers 1 --embedding 64 --batch 32 --steps 64"
# Training may take so many seconds; the number of updates follows from the pace of this machine.
seconds=100

say() {
    printf '\n== %s\n' "$*"
}

build_command() {
    say "Building (log: build/demo/build.log)"
    "$repository/scripts/install_deps.sh" build
    mkdir -p "$out"
    { cmake -S "$repository" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF &&
        cmake --build "$build" --target sluice_command; } >"$build/build.log" 2>&1 || {
        tail -n 30 "$build/build.log" >&2
        exit 1
    }
}

# The project's own text, in an order that every machine agrees on.
collect_own_text() {
    (cd "$repository" && find . \( -name .git -o -path './build*' \) -prune -o -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.md' -o -name '*.py' -o -name '*.sh' -o -name '*.txt' \) -print |
        LC_ALL=C sort | while read -r file; do cat "$file"; done)
}

count_processors() {
    processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
    [ "$processors" -le 4 ] || processors=4
    echo "$processors"
}

# The line of a result that begins with the words $1: its number, which is the first word behind them.
figure() {
    awk -v words="$1 " 'index($0, words) == 1 { $0 = substr($0, length(words) + 1); print $1; exit }' "$out/result.txt"
}

# Trains for a moment to learn the pace, then for the time that is given.
train() {
    threads=$(count_processors)
    # shellcheck disable=SC2086 # lists of words
    "$sluice" train "$@" $network --threads "$threads" --validation 0.01 --updates 40 --quiet \
        --output "$out/pace.safetensors" --checkpoint-every 0 >"$out/result.txt"
    updates=$(awk -v seconds="$seconds" -v pace="$(figure 'milliseconds per update')" \
        'BEGIN { n = int(1000 * seconds / pace); print n < 100 ? 100 : n }')
    rm -f "$out/pace.safetensors"
    # shellcheck disable=SC2086 # lists of words
    "$sluice" train "$@" $network --threads "$threads" --updates "$updates" --epochs 40 --rate 0.004 \
        --schedule cosine --warmup 50 --output "$out/model.safetensors" --log "$out/log.csv" --curve "$out/curve.svg" \
        --ngrams >"$out/result.txt"
}

# A sample, and the same sample read again in both ways: as one sequence and step by step.
generate() {
    "$sluice" generate "$out/model.safetensors" --length 600 --temperature 0.6 --seed 1 >"$out/sample.txt"
    sed 's/^/    /' "$out/sample.txt"
    echo
    "$sluice" run "$out/model.safetensors" --text "$out/sample.txt" --output "$out/sequence.npy"
    "$sluice" run "$out/model.safetensors" --text "$out/sample.txt" --output "$out/step.npy" --step
    cmp "$out/sequence.npy" "$out/step.npy" || {
        echo "demo: step and sequence differ" >&2
        exit 1
    }
}

judge() {
    network_bits=$(figure validation)
    pairs_bits=$(figure 'order-2 n-gram')
    echo "Validation, bits per character (less is better):"
    echo "    this network      $network_bits"
    for order in 1 2 3; do
        echo "    order-$order n-gram    $(figure "order-$order n-gram")"
    done
    awk -v network="$network_bits" -v pairs="$pairs_bits" 'BEGIN { exit !(network < pairs) }' || {
        echo "demo: the network does not beat the order-2 n-gram model" >&2
        exit 1
    }
}

build_command
sluice=$build/tools/sluice
started=$(date +%s)
if [ $# -eq 0 ]; then
    collect_own_text >"$out/text.txt"
    set -- "$out/text.txt"
fi
say "Training for about $seconds seconds"
train "$@"
say "A sample, drawn character by character by single steps"
generate
echo "Read again, step by step and as one sequence: all outputs have the same bits."
say "Result"
judge
echo "Files in build/demo/out: model.safetensors, curve.svg, log.csv, sample.txt"
echo "Took $(($(date +%s) - started)) seconds without installing and building."
