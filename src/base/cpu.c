/* cpu.c exists to be the only place that asks the processor anything. */
#include "base/cpu.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#include <stdbool.h>

enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };

/* The builtin below does not know the name f16c everywhere: CPUID leaf 1, bit 29 of ecx. */
static bool has_f16c(void)
{
	unsigned eax = 1, ebx, ecx = 0, edx;
	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return ecx >> 29 & 1;
}

/* The compiler's builtin also asks whether the operating system saves the wide registers. */
unsigned sluice__cpu_flags(void)
{
	unsigned flags = 0;
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
		flags |= CPU_AVX2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		flags |= CPU_AVX512;
	return flags;
}

unsigned sluice__denormals_flush(void)
{
	const unsigned former = _mm_getcsr(), wanted = former | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO;
	/* Writing the register is slow; audio hosts have often done it already. */
	if (wanted != former)
		_mm_setcsr(wanted);
	return former;
}

void sluice__denormals_restore(unsigned former)
{
	if (_mm_getcsr() != former)
		_mm_setcsr(former);
}

#else

unsigned sluice__cpu_flags(void)
{
	return 0;
}

unsigned sluice__denormals_flush(void)
{
	return 0;
}

void sluice__denormals_restore(unsigned former)
{
	(void)former;
}

#endif
