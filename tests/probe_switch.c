/* probe_switch.c exists to turn one switch before the probe of compat/probe asks its questions, so that its answers are
 * seen to tell the positions apart: the environment's SLUICE_BNNS_SWITCH names the field. */
#include <stdlib.h>
#include <string.h>

#include "sluice/bnns.h"

__attribute__((constructor)) static void turn(void)
{
	sluice_bnns_options options = SLUICE_BNNS_OPTIONS_INIT;
	const char *name = getenv("SLUICE_BNNS_SWITCH");
	const struct {
		const char *name;
		int *field;
	} switches[] = {
		{"input_weights", &options.input_weights},
		{"stacking", &options.stacking},
		{"dropout_scaling", &options.dropout_scaling},
		{"dropout_without_cache", &options.dropout_without_cache},
		{"sequence_rows", &options.sequence_rows},
		{"data_aliasing", &options.data_aliasing},
		{"padding_rows", &options.padding_rows},
	};
	for (size_t k = 0; name && k < sizeof(switches) / sizeof(switches[0]); k++)
		if (strcmp(name, switches[k].name) == 0)
			*switches[k].field = 1;
	if (sluice_bnns_set_options(&options) != 0)
		_Exit(2);
}
