/* isa_scalar.c exists to instantiate the templates for this level. */
#include "kernels/vec_scalar.h"
#include "kernels/words_scalar.h"
#include "kernels/isa.inc.h"
