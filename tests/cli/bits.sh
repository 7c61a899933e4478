#!/bin/sh
# bits.sh: what must not change a single bit: threads, stepping, interruptions; and what a seed decides.
. "$(dirname "$0")/common.sh"

make_text 20000 >text.txt
course="text.txt --hidden 24 --layers 2 --embedding 8 --steps 10 --batch 5 --epochs 8 --validate-every 50 --dropout 0.2
	--schedule cosine --warmup 20 --quiet"
# Made the shell itself in the background, so that a signal reaches the training and not a shell around it.
# shellcheck disable=SC2086 # the options are words
train() { exec "$sluice" train $course "$@"; }
# shellcheck disable=SC2317 # called by expect
train_here() { (train "$@"); }

expect 0 "validation" train_here --output whole.st --log whole.csv --curve whole.svg
grep -q "^1,1," whole.csv || complain "the log does not begin with update 1"
head -c 5 whole.svg | grep -q "<svg" || complain "the curve is not an SVG picture"

# Threads.
expect 0 "validation" train_here --threads 2 --output threads.st --log threads.csv
same whole.st threads.st
same whole.csv threads.csv

# Killed at moments that nobody chose, and resumed each time, until it is through.
tries=0 code=137
while [ "$code" -eq 137 ] && [ "$tries" -lt 200 ]; do
	train --output pieces.st --log pieces.csv --curve pieces.svg --checkpoint-every 3 --resume >/dev/null 2>&1 &
	process=$!
	# From 0.1 s on, growing so slowly that many kills land inside the training, and always through in the end.
	sleep "$(awk -v n="$tries" 'BEGIN { srand(); print 0.1 + rand() * 0.1 + n * 0.02 }')"
	kill -KILL "$process" 2>/dev/null
	wait "$process" 2>/dev/null
	code=$?
	tries=$((tries + 1))
done
echo "killed $((tries - 1)) times"
[ "$code" -eq 0 ] || complain "never through"
same whole.st pieces.st
same whole.csv pieces.csv
same whole.svg pieces.svg

# Interrupted: the status says so, and the rest follows.
train --updates 300000 --epochs 1000000 --schedule constant --output long.st >long.txt 2>&1 &
process=$!
sleep 1
kill -TERM "$process"
wait "$process"
code=$?
[ "$code" -eq 143 ] || complain "exit code $code instead of 143 after SIGTERM"
grep -q "interrupted after update .* --resume" long.txt || complain "no sentence about the interruption"
[ -s long.st.checkpoint ] || complain "no checkpoint after an interruption"
[ -e long.st ] && complain "an interrupted training wrote a model"

# One step after the other gives what the sequence gives, on every level.
for level in $("$sluice" info | sed -n '/not on this machine/d; s/^level: \([a-z0-9]*\).*/\1/p'); do
	"$sluice" run whole.st --isa "$level" --text text.txt --output sequence.npy || complain "run failed"
	"$sluice" run whole.st --isa "$level" --text text.txt --output step.npy --step || complain "run --step failed"
	same sequence.npy step.npy
	"$sluice" run whole.st --isa "$level" --text text.txt --output threads.npy --threads 2 || complain "run failed"
	same sequence.npy threads.npy
done

# The other kinds of input. Numbers of symbols give what their text gives; u8, by hand: the vocabulary is ascending, so
# the numbers are places in the list that info prints.
number_of() {
	"$sluice" info whole.st | awk -v byte="$1" '/^metadata: sluice.vocabulary/ {
		for (k = 0; 2 * k < length($NF); k++)
			if (substr($NF, 2 * k + 1, 2) == byte)
				printf "\\%03o", k
	}'
}
printf 'the dog' >dog.txt
{
	printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }"
	for byte in 74 68 65 20 64 6f 67; do
		# shellcheck disable=SC2059 # the format is the number
		printf "$(number_of $byte)"
	done
} >dog.npy
"$sluice" run whole.st --text dog.txt --output from-text.npy || complain "run --text failed"
"$sluice" run whole.st --input dog.npy --output from-numbers.npy || complain "run failed on whole numbers"
same from-text.npy from-numbers.npy
# Logits are as wide as a one-hot model's inputs.
expect 0 "updates 0 of 0" train_here --embedding 0 --updates 0 --output one-hot.st
"$sluice" run one-hot.st --input sequence.npy --output sequence-2.npy || complain "run failed on floating-point numbers"
"$sluice" run one-hot.st --input sequence.npy --output step-2.npy --step || complain "run --step failed on them"
same sequence-2.npy step-2.npy
cmp -s sequence.npy sequence-2.npy && complain "two models give the same outputs"

# Sampling: the seed and the temperature decide, a longer text begins with the shorter one.
"$sluice" generate whole.st --seed 7 --length 200 >seven.txt
"$sluice" generate whole.st --seed 7 --length 200 >again.txt
"$sluice" generate whole.st --seed 8 --length 200 >eight.txt
"$sluice" generate whole.st --seed 7 --length 50 >short.txt
"$sluice" generate whole.st --seed 7 --length 200 --temperature 0.5 >cool.txt
"$sluice" generate whole.st --seed 7 --length 200 --temperature 0 >zero.txt
"$sluice" generate whole.st --seed 8 --length 200 --temperature 0 >zero-too.txt
same seven.txt again.txt
same zero.txt zero-too.txt
cmp -s seven.txt eight.txt && complain "two seeds give the same text"
cmp -s seven.txt cool.txt && complain "two temperatures give the same text"
[ "$(wc -c <seven.txt)" -eq 200 ] || complain "not exactly the characters asked for"
head -c 50 seven.txt >head.txt
same head.txt short.txt
expect 0 "the dog" "$sluice" generate whole.st --prompt "the dog" --length 3
# A checkpoint is a model, too.
expect 0 "the dog" "$sluice" generate pieces.st.checkpoint --prompt "the dog" --length 3
finish
