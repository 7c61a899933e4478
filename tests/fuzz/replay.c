/* replay.c: runs a fuzz target over kept inputs, so that what was once found stays found without a fuzzer. */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Larger inputs are not kept. */
#define INPUT_MAX ((size_t)1 << 20)

static int replay_file(const char *path)
{
	uint8_t *bytes = malloc(INPUT_MAX), *exact = NULL;
	FILE *file = fopen(path, "rb");
	size_t size = 0;

	if (bytes && file) {
		size = fread(bytes, 1, INPUT_MAX, file);
		/* Cut to size, so that the address sanitizer sees a byte too many. */
		exact = realloc(bytes, size ? size : 1);
	}
	if (file)
		fclose(file);
	if (!exact) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(bytes);
		return 1;
	}
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

static int replay_directory(const char *path)
{
	DIR *entries = opendir(path);
	struct dirent *entry;
	char name[4096];
	int failures = 0, count = 0;

	if (!entries) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		failures += replay_file(name);
		count++;
	}
	closedir(entries);
	printf("%s: %d inputs\n", path, count);
	return failures > 0 || count == 0;
}

int main(int argc, char **argv)
{
	int failures = argc < 2;

	for (int k = 1; k < argc; k++)
		failures += replay_directory(argv[k]);
	return failures > 0;
}
