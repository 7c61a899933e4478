/* core.c: a program that links nothing but the core. */
#include <sluice/sluice.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
	printf("sluice %s\n", sluice_version());
	return strcmp(sluice_version(), EXPECTED_VERSION) != 0;
}
