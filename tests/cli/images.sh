#!/bin/sh
# images.sh: a model over images takes and gives images, and nothing else.
models=$(cd "$(dirname "$0")/../fuzz/corpus/model" && pwd) || exit 1
. "$(dirname "$0")/common.sh"

# array FILE SHAPE COUNT: a .npy file of so many numbers, all bytes of which are 0x3f: 0.747.
array() {
	{
		printf '\223NUMPY\001\000\166\000'
		printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': ($2), }"
		head -c $((4 * $3)) /dev/zero | tr '\000' '\077'
	} >"$1"
}

# info tells the images of every layer and its convolutions.
expect 0 "inputs: 2, images of 5x4" "$sluice" info "$models/valid_images"
expect 0 "layer 0: 2 units, forward, images of 3x2, peephole full, input_convolution 3x3 stride 2x2 groups 2, \
recurrent_convolution 2x1 border given(0,0,1,0), memory_convolution 1x3 dilation 1x2" "$sluice" info "$models/valid_images"
expect 0 "layer 1: 1 units, forward, images of 2x2, no bias, peephole element, input_convolution 2x1 border none" \
	"$sluice" info "$models/valid_images"
expect 0 "outputs: 12, images of 2x2" "$sluice" info "$models/valid_images"
expect 1 "stands for at least 4294967304 weights" "$sluice" info "$models/images_large"
expect 1 "expected both 0, or" "$sluice" info "$models/images_one_side"
expect 1 "input_convolution: heigth: is an option" "$sluice" info "$models/convolution_unknown"
expect 1 "a network over images reads no characters" "$sluice" generate "$models/images_characters"

# run: [T,Y,X,I] or [T,N,Y,X,I] gives images of the last layer; step by step the same bits.
array x.npy "6, 5, 4, 2" 240
array rows.npy "6, 1, 5, 4, 2" 240
"$sluice" run "$models/valid_images" --input x.npy --output y.npy || complain "run failed"
"$sluice" run "$models/valid_images" --input x.npy --output step.npy --step || complain "run --step failed"
"$sluice" run "$models/valid_images" --input rows.npy --output rows_y.npy || complain "run of rows failed"
same y.npy step.npy
grep -aqF "(6, 2, 2, 3)" y.npy || complain "y has another shape than (6, 2, 2, 3)"
grep -aqF "(6, 1, 2, 2, 3)" rows_y.npy || complain "y of rows has another shape than (6, 1, 2, 2, 3)"
tail -c $((6 * 12 * 4)) y.npy >y.raw
tail -c $((6 * 12 * 4)) rows_y.npy >rows.raw
same y.raw rows.raw

# What is no image of the model's.
array flat.npy "6, 40" 240
array turned.npy "6, 4, 5, 2" 240
array deep.npy "1, 1, 6, 5, 4, 2" 240
for name in flat turned deep; do
	expect 1 "$name.npy: an array of the shape [T,5,4,2] or [T,N,5,4,2] is expected" \
		"$sluice" run "$models/valid_images" --input $name.npy --output refused.npy
done
[ -e refused.npy ] && complain "a refused run left an output"
finish
