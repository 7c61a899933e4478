/* bnns_options.c exists to keep the switches of the process, and to count the seeds of dropout. */
#include "bnns_internal.h"
#include "switches.h"

#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sluice_bnns_options current = {.size = sizeof current};
static uint64_t next_seed;

static const struct switch_field SWITCHES[] = {
	{"input_weights", offsetof(sluice_bnns_options, input_weights)},
	{"stacking", offsetof(sluice_bnns_options, stacking)},
	{"dropout_scaling", offsetof(sluice_bnns_options, dropout_scaling)},
	{"dropout_without_cache", offsetof(sluice_bnns_options, dropout_without_cache)},
	{"sequence_rows", offsetof(sluice_bnns_options, sequence_rows)},
	{"data_aliasing", offsetof(sluice_bnns_options, data_aliasing)},
	{"padding_rows", offsetof(sluice_bnns_options, padding_rows)},
};

static sluice_status options_read(const sluice_bnns_options *given, sluice_bnns_options *options)
{
	return sluice__switches_read(given, SWITCHES, sizeof SWITCHES / sizeof SWITCHES[0], sizeof *options, options);
}

int sluice_bnns_set_options(const sluice_bnns_options *given)
{
	sluice_bnns_options options = SLUICE_BNNS_OPTIONS_INIT;
	if (given && options_read(given, &options) != SLUICE_OK)
		return -1;
	pthread_mutex_lock(&lock);
	current = options;
	next_seed = options.seed;
	pthread_mutex_unlock(&lock);
	return 0;
}

void sluice__bnns_options(sluice_bnns_options *options)
{
	pthread_mutex_lock(&lock);
	*options = current;
	pthread_mutex_unlock(&lock);
}

uint64_t sluice__bnns_next_seed(void)
{
	pthread_mutex_lock(&lock);
	const uint64_t seed = next_seed++;
	pthread_mutex_unlock(&lock);
	return seed;
}

const char *sluice_bnns_last_message(void)
{
	return sluice_last_message();
}
