/* Accelerate.h exists so that a program written for Apple's Accelerate finds its LSTM layer under the name it knows. */
#ifndef SLUICE_COMPAT_ACCELERATE_H
#define SLUICE_COMPAT_ACCELERATE_H

#include <sluice/bnns.h>

#endif
