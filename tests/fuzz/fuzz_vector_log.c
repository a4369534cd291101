/*
 * Any bytes as the records of a vector index's log, with the checksums of well-formed ones made
 * right: refused, or applied as far as they go, and the index is sound.
 */
#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"
#include "vector/vector_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

const char fuzz_corpus[] = "vector_log";

#define DIMENSION 4U

/* Where a record says that it is one of ours, its checksum and its place in the order are set. */
static void seal(uint8_t *data, size_t size)
{
	uint32_t sequence = 0;
	size_t at = LOG_HEADER;

	while (size - at >= 16) {
		uint32_t operation, crc;
		size_t bytes;

		memcpy(&operation, data + at + 8, 4);
		bytes = 16 + (operation == LOG_PUT ? DIMENSION * 4 : 0);
		if ((operation != LOG_PUT && operation != LOG_DELETE) || size - at < bytes)
			return;
		sequence++;
		memcpy(data + at + 4, &sequence, 4);
		crc = crc32c(0, data + at + 4, bytes - 4);
		memcpy(data + at, &crc, 4);
		at += bytes;
	}
}

static void write_log(const char *dir, const uint8_t *data, size_t size)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/log.1", dir);
	f = fopen(path, "r+");
	bug_if(!f || fseek(f, LOG_HEADER, SEEK_SET) != 0);
	bug_if(fwrite(data + LOG_HEADER, 1, size - LOG_HEADER, f) != size - LOG_HEADER);
	bug_if(fclose(f) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/dev/shm/aethermart-fuzz-XXXXXX";
	struct vector_options options = {.dimension = DIMENSION};
	struct vector_index *ix = NULL;
	struct err err = {0};
	uint8_t *copy;
	int r;

	if (size < LOG_HEADER || size > 65536)
		return 0;
	copy = mem_dup(data, size);
	if (data[0] & 1U)
		seal(copy, size);
	bug_if(!mkdtemp(dir));
	bug_if(vector_open(dir, &options, &ix, &err) < 0);
	bug_if(vector_close(ix, &err) < 0);
	write_log(dir, copy, size);
	r = vector_open(dir, &options, &ix, &err);
	bug_if(r < 0 && r != -ERR_CORRUPTED);
	if (r == 0) {
		bug_if(vector_check(ix, NULL, NULL) != 0);
		bug_if(vector_close(ix, &err) < 0);
	}
	mem_free(copy);
	bug_if(dir_remove(dir, &err) < 0);
	return 0;
}
