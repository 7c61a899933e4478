/* cpu.h: what this processor and its operating system can run, and how denormal numbers are treated. */
#ifndef SLUICE_BASE_CPU_H
#define SLUICE_BASE_CPU_H

enum {
	CPU_AVX2 = 1,  /* with FMA */
	CPU_AVX512 = 2 /* F, BW, DQ, VL */
};

/* The flags of this machine, or-ed together. */
unsigned sluice__cpu_flags(void);

/* Makes this thread treat denormal numbers as zero; the result restores the former treatment. */
unsigned sluice__denormals_flush(void);
void sluice__denormals_restore(unsigned former);

#endif
