#!/bin/sh
# help.sh: every command explains itself and tells mistakes of usage from failures.
. "$(dirname "$0")/common.sh"

expect 0 "Usage: sluice COMMAND" "$sluice" --help
expect 0 "Usage: sluice COMMAND" "$sluice" help
expect 2 "Usage: sluice COMMAND" "$sluice"
expect 0 "sluice $("$sluice" info | sed -n 's/^sluice //p')" "$sluice" --version
expect 2 'there is no command "tarin"' "$sluice" tarin
for command in train generate run info verify bench; do
	expect 0 "Usage: sluice $command" "$sluice" $command --help
	expect 0 "--help" "$sluice" $command --help
	expect 2 "there is no option --nonsense" "$sluice" $command --nonsense
	expect 2 "Try 'sluice $command --help'" "$sluice" $command -z
	expect 2 "--isa needs a value" "$sluice" $command --isa
done

expect 2 "TEXT... is missing" "$sluice" train
expect 2 "--output is missing" "$sluice" train text.txt
expect 2 "--hidden needs a value" "$sluice" train text.txt --output m --hidden
expect 2 '--hidden is "0"; a number from 1 on is expected' "$sluice" train text.txt --output m --hidden 0
expect 2 '--hidden is "-1"; a whole number is expected' "$sluice" train text.txt --output m --hidden -1
expect 2 '--hidden is "12x"' "$sluice" train text.txt --output m --hidden 12x
expect 2 '--hidden is "99999999999999999999999"' "$sluice" train text.txt --output m --hidden 99999999999999999999999
expect 2 '--layers is "128"; a number from 1 to 127 is expected' "$sluice" train text.txt --output m --layers 128
expect 2 '--rate is "nan"' "$sluice" train text.txt --output m --rate nan
expect 2 '--rate is ""' "$sluice" train text.txt --output m --rate ""
expect 2 '--validation is "1"' "$sluice" train text.txt --output m --validation 1
expect 2 '--optimizer is "adamw"; sgd|rmsprop|adam is expected' "$sluice" train text.txt --output m --optimizer adamw
expect 2 '--schedule is "cos"' "$sluice" train text.txt --output m --schedule cos
expect 2 "--resume takes no value" "$sluice" train text.txt --output m --resume=yes
expect 2 "MODEL is missing" "$sluice" generate
expect 2 '"two" is one too many' "$sluice" generate one two
expect 2 "--output is missing" "$sluice" run model --input x.npy
expect 2 "either --input or --text" "$sluice" run model --output y.npy
expect 2 "either --input or --text" "$sluice" run model --output y.npy --input x.npy --text x.txt
expect 2 "PROBLEM... is missing" "$sluice" verify
expect 2 "PROBLEM... is missing" "$sluice" bench
expect 2 "exclude each other" "$sluice" bench t1n1h1 --step --backward
expect 1 "unknown" "$sluice" train text.txt --output m --isa unknown
expect 1 "unknown" "$sluice" info --isa unknown
expect 1 "unknown" env SLUICE_ISA=unknown "$sluice" info
# A string that is not a problem makes both print the grammar.
for problem in t0n1h1 t1n1 n1t1h1 t1n1h1l2l2 t1n1h1nonsense ""; do
	expect 2 "t<steps>" "$sluice" verify "$problem"
	expect 2 "t<steps>" "$sluice" bench "$problem"
done
finish
