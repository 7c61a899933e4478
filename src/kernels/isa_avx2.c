/* isa_avx2.c exists to instantiate the templates for this level. */
#include "kernels/vec_avx2.h"
#include "kernels/words_avx2.h"
#include "kernels/isa.inc.h"
