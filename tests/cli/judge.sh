#!/bin/sh
# judge.sh: verify and bench on small problems, and the form of what they print.
. "$(dirname "$0")/common.sh"

expect 0 " ok" "$sluice" verify t3n2i5h7 t2n3h9l2bi
expect 0 "verdict" "$sluice" verify t2n1h3 --forward-only --outputs 2 --no-bias
expect 0 " ok" "$sluice" verify t3n2h5peepnewproj2bf16 t3n2i5h9zonef64
expect 1 "sluice verify: " "$sluice" verify t3n2h5int8
"$sluice" verify --quiet t3n2h5rev >quiet.txt || complain "verify failed"
[ -s quiet.txt ] && complain "verify --quiet printed rows that did not fail"

expect 1 "sluice bench: " "$sluice" bench t3n2h5int8
for options in "" "--backward" "--step" "--threads 2"; do
	# shellcheck disable=SC2086 # the options are words
	expect 0 "kernels" "$sluice" bench t3n2i5h64 --seconds 0.01 $options
done
expect 0 "step_bf16" "$sluice" bench t3n2i5h64maskbf16 --seconds 0.01 --backward
expect 0 "kernels" "$sluice" bench t3n2i5h64outputs t3n2i5h64recomputef64 --seconds 0.01 --backward
"$sluice" bench t3n2i5h64 t4n1h16 --backward --json --seconds 0.01 >lines.txt || complain "bench --json failed"
[ "$(wc -l <lines.txt)" -eq 4 ] || complain "not one line for each pass"
for member in problem pass device dtype threads us_per_step us_per_step_min us_p99 gflops peak_gflops peak_share kernels; do
	[ "$(grep -c "\"$member\": " lines.txt)" -eq 4 ] || complain "bench --json lacks $member"
done
grep -q '"problem": "t3n2i5h64", "pass": "forward"' lines.txt || complain "no forward pass"
grep -q '"problem": "t4n1h16", "pass": "backward"' lines.txt || complain "no backward pass"
finish
