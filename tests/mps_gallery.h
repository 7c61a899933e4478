/*
 * mps_gallery.h: images of the steps of a sequence, in memory with gaps every byte of which is watched or in memory of
 * the library's own, and the plain way to run stacks on them.
 */
#ifndef SLUICE_TESTS_MPS_GALLERY_H
#define SLUICE_TESTS_MPS_GALLERY_H

#include "mps_run.h"

struct rnn_gallery {
	size_t steps, images, height, width, channels, size;
	unsigned char *bytes, *before; /* of images with memory of their own: what they have and shall have */
	MPSImage *list[RNN_STEPS];
	size_t at[RNN_STEPS], row_bytes[RNN_STEPS], image_bytes[RNN_STEPS];
	BNNSDataType types[RNN_STEPS];
	int owned[RNN_STEPS];
};

struct rnn_gallery_wish {
	size_t steps, images, height, width, channels;
	int plain; /* Float32 without gaps */
};

void rnn_gallery_create(struct bnns_random *random, const struct rnn_gallery_wish *wish, struct rnn_gallery *out);
void rnn_gallery_destroy(struct rnn_gallery *gallery);

/* One image [height,width,channels]; stored as its type holds it, in either layout; and back. */
void rnn_gallery_write(struct rnn_gallery *gallery, size_t step, size_t image, const float *from);
void rnn_gallery_read(struct rnn_gallery *gallery, size_t step, size_t image, float *to);

/* As of a shelf. */
void rnn_gallery_remember(struct rnn_gallery *gallery);
void rnn_gallery_expect(struct rnn_gallery *gallery, size_t step, size_t image, const float *values);
int rnn_gallery_same(struct rnn_gallery *gallery);

MPSRNNImageInferenceLayer *rnn_image_layer(const struct rnn_chain *chain);

/* Between a state of an image layer and floats; fails the test unless it has these bits. */
void rnn_image_state_write(const struct rnn_oracle *oracle, const struct rnn_states *from, size_t images,
			   MPSRNNRecurrentImageState *state);
void rnn_image_state_read(const struct rnn_oracle *oracle, const MPSRNNRecurrentImageState *state, size_t images,
			  struct rnn_states *out);
void rnn_image_state_expect(const struct rnn_oracle *oracle, const struct rnn_states *expected, size_t images,
			    uint64_t seed, const MPSRNNRecurrentImageState *state);

/* As rnn_run_plain; data->height and image_width are those of the images. */
void rnn_run_images(MPSRNNImageInferenceLayer *layer, const struct rnn_oracle *oracle, const struct rnn_data *data,
		    uint64_t seed, struct rnn_found *found);

#endif
