/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files of a folder, once each: the corpus as a test, with any compiler. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) {
		perror(path);
		return EXIT_FAILURE;
	}
	/* Of the exact size, so that sanitizers see a read past its end. */
	bytes = malloc((size_t)size + !size);
	MUST(bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size);
	fclose(file);
	MUST(!LLVMFuzzerTestOneInput(bytes, (size_t)size));
	free(bytes);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;
	int files = 0, status = EXIT_SUCCESS;

	if (!folder) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return EXIT_FAILURE;
	}
	while ((entry = readdir(folder)) && !status) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		status = replay(path);
		files++;
	}
	closedir(folder);
	printf("%d inputs, %u of them taken\n", files, fuzz_taken);
	return fuzz_taken ? status : EXIT_FAILURE;
}
