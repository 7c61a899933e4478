/* isa_avx512.c exists to instantiate the templates for this level. */
#include "kernels/vec_avx512.h"
#include "kernels/words_avx512.h"
#include "kernels/isa.inc.h"
