#!/bin/sh
# bad_input.sh: bad files, bad texts and full disks give one sentence and exit code 1, and nothing is lost.
. "$(dirname "$0")/common.sh"

make_text 3000 >text.txt
small="--hidden 8 --layers 1 --embedding 4 --steps 10 --batch 2"
train() { loud "$@" --quiet; }
# shellcheck disable=SC2086,SC2317 # the options are words; called by expect
loud() { "$sluice" train $small "$@"; }

# Texts.
: >empty.txt
printf 'too short' >short.txt
mkdir folder
expect 1 "empty.txt is empty" train empty.txt --output m.st
expect 1 "needs at least 21" train short.txt --output m.st
expect 1 "missing.txt: No such file" train missing.txt --output m.st
expect 1 "missing.txt: No such file" train text.txt missing.txt --output m.st
expect 1 "folder: Is a directory" train folder --output m.st
if [ "$(id -u)" -ne 0 ]; then
	: >secret.txt
	chmod 0 secret.txt
	expect 1 "secret.txt: Permission denied" train secret.txt --output m.st
fi
expect 1 "for validation" train short.txt --steps 2 --validation 0.12 --output m.st

# Options that no machine can serve.
expect 1 "sluice train: " train text.txt --hidden 9007199254740992 --output m.st
expect 1 "sluice train: " train text.txt --hidden 1000000000 --output m.st
expect 1 "sluice train: " train text.txt --embedding 18446744073709551615 --output m.st
expect 1 "sluice train: " train text.txt --batch 18446744073709551615 --steps 18446744073709551615 --output m.st
expect 1 "needs at least" train text.txt --steps 1000000000 --output m.st
expect 1 "diverged" train text.txt --optimizer sgd --rate 1e30 --clip 0 --updates 200 --output m.st
expect 1 "validation is 0" train text.txt --validation 0 --patience 3 --output m.st
[ -e m.st ] && complain "a refused training left a model"

# Targets.
expect 1 "nowhere/m.st: No such file" train text.txt --output nowhere/m.st
expect 1 "folder: Is a directory" train text.txt --output folder
expect 1 "nowhere/log.csv: No such file" train text.txt --output m.st --log nowhere/log.csv
expect 1 "nowhere/curve.svg: No such file" train text.txt --output m.st --curve nowhere/curve.svg
if [ -w /dev/full ]; then
	expect 1 "/dev/full: cannot be written: No space left" train text.txt --updates 3 --output /dev/full
	expect 1 "/dev/full: No space left" train text.txt --updates 3 --output m.st --log /dev/full
	expect 1 "/dev/full: No space left" train text.txt --updates 3 --output m.st --curve /dev/full
	expect 1 "/dev/full: cannot be written: No space left" \
		train text.txt --updates 3 --output m.st --checkpoint /dev/full --checkpoint-every 1
	[ -c /dev/full ] || complain "/dev/full was replaced"
fi
rm -f m.st m.st.checkpoint

# shellcheck disable=SC2317 # called by expect
limited() {
	(
		trap '' XFSZ
		ulimit -f 4
		train text.txt --updates 8 --checkpoint-every 2 --output m.st --resume
	)
}
# A disk that fills up while a checkpoint is written: the old one survives, and works. A limit on the size of files
# stands for the disk; the shell's unit is 512 bytes.
train text.txt --updates 4 --checkpoint-every 2 --output m.st >/dev/null || complain "training failed"
cp m.st.checkpoint old.checkpoint
rm m.st
expect 1 "m.st.checkpoint: cannot be written: File too large" limited
same old.checkpoint m.st.checkpoint
[ -e m.st ] && complain "a model was written although a checkpoint failed"
[ "$(find . -name '*m.st*' | wc -l)" -eq 1 ] || complain "a failed checkpoint left files: $(ls)"
expect 0 "updates 8 of 8" train text.txt --updates 8 --checkpoint-every 2 --output m.st --resume

# Checkpoints of another course, and none.
expect 1 "its hidden is 8, not 9" train text.txt --hidden 9 --output m.st --resume
expect 1 "its text is" train text.txt text.txt --output m.st --resume
"$sluice" info | grep -q "scalar (used)" ||
	expect 0 "written on level" loud text.txt --updates 8 --checkpoint-every 2 --output m.st --resume --isa scalar
expect 1 "m.st is not a checkpoint" train text.txt --output m.st --checkpoint m.st --resume

# Models: every hundredth length of the file, and what is no model.
size=$(wc -c <m.st)
length=0
while [ "$length" -lt "$size" ]; do
	head -c "$length" m.st >cut.st
	expect 1 "cut.st" "$sluice" generate cut.st --length 1
	expect 1 "cut.st" "$sluice" info cut.st
	length=$((length + size / 20 + 1))
done
for command in generate info; do
	expect 1 "missing.st: cannot be opened: No such file" "$sluice" $command missing.st
	expect 1 "sluice $command: " "$sluice" $command folder
	expect 1 "text.txt" "$sluice" $command text.txt
	expect 1 "empty.txt" "$sluice" $command empty.txt
done
expect 1 "the byte 0x51 at position 1" "$sluice" generate m.st --prompt "tQ"
if [ -w /dev/full ]; then
	# shellcheck disable=SC2317 # called by expect
	full() { "$sluice" "$@" >/dev/full; }
	expect 1 "No space left" full generate m.st
	expect 1 "No space left" full info m.st
	expect 1 "No space left" full --version
fi

# Arrays.
expect 1 "missing.npy: cannot be opened: No such file" "$sluice" run m.st --input missing.npy --output y.npy
expect 1 "text.txt" "$sluice" run m.st --input text.txt --output y.npy
expect 1 "empty.txt is empty" "$sluice" run m.st --text empty.txt --output y.npy
"$sluice" run m.st --text text.txt --output logits.npy || complain "run failed"
expect 1 "is expected, as the model has 4 inputs" "$sluice" run m.st --input logits.npy --output y.npy
printf 'the Quick' >unknown.txt
expect 1 "the byte 0x51 at position 4" "$sluice" run m.st --text unknown.txt --output y.npy
head -c 1000 logits.npy >cut.npy
expect 1 "cut.npy" "$sluice" run m.st --input cut.npy --output y.npy
expect 1 "nowhere/y.npy: cannot be written" "$sluice" run m.st --text text.txt --output nowhere/y.npy
[ -e y.npy ] && complain "a refused run left an output"
[ ! -w /dev/full ] ||
	expect 1 "/dev/full: cannot be written: No space left" "$sluice" run m.st --text text.txt --output /dev/full
finish
