/*
 * Any bytes as the checkpoint of a vector index, with the checksums made right, so that what is
 * behind them is reached too: refused, or an index that answers, takes writes and can be closed.
 */
#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"
#include "vector/vector_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

const char fuzz_corpus[] = "vector_graph";

#define HEAD_PAGE 4096

static void seal(uint8_t *data, size_t size)
{
	struct checkpoint_head h;
	size_t at = HEAD_PAGE;

	if (size < HEAD_PAGE)
		return;
	memcpy(&h, data, sizeof(h));
	for (int s = 0; s < SECTIONS; s++) {
		if (h.sections[s].bytes > size - at)
			break;
		h.sections[s].crc = crc32c(0, data + at, h.sections[s].bytes);
		at += h.sections[s].bytes;
	}
	h.crc = crc32c(0, &h, offsetof(struct checkpoint_head, crc));
	memcpy(data, &h, sizeof(h));
}

static void write_file(const char *dir, const char *name, const void *data, size_t size)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	bug_if(!f || fwrite(data, 1, size, f) != size || fclose(f) != 0);
}

/* The files beside it that such a checkpoint asks for. */
static void write_others(const char *dir, const struct checkpoint_head *h)
{
	static uint8_t vectors[HEAD_PAGE + 65536];
	struct {
		char magic[8];
		uint32_t dimension, zero;
		uint64_t generation;
		uint32_t zero2, crc;
	} log = {"AEMVLOG1", h->dimension, 0, h->generation, 0, 0};
	struct {
		char magic[8];
		uint32_t dimension, precision, crc;
	} head = {"AEMVECS1", h->dimension, h->precision, 0};
	char name[32];

	memcpy(log.magic, "AEMVLOG1", 8);
	memcpy(head.magic, "AEMVECS1", 8);
	log.crc = crc32c(0, &log, sizeof(log) - 4);
	head.crc = crc32c(0, &head, sizeof(head) - 4);
	memcpy(vectors, &head, sizeof(head));
	write_file(dir, "vectors", vectors, sizeof(vectors));
	(void)snprintf(name, sizeof(name), "log.%llu", (unsigned long long)h->generation);
	write_file(dir, name, &log, sizeof(log));
}

static void use(struct vector_index *ix)
{
	struct vector_stats stats;
	struct vector_reader *reader;
	struct vector_hit hits[10];
	struct err err = {0};
	float *v;
	size_t n;

	vector_stats(ix, &stats);
	v = mem_alloc_array(stats.dimension, sizeof(*v));
	v[0] = 1;
	bug_if(vector_reader_new(ix, &reader, &err) < 0);
	bug_if(vector_search(reader, &(struct vector_query){.vector = v, .k = 10}, hits, &n, NULL,
			     &err) < 0);
	bug_if(vector_put(ix, 7, v, &err) < 0);
	bug_if(vector_delete(ix, 7, &err) < 0);
	(void)vector_check(ix, NULL, NULL);
	(void)vector_reader_free(reader);
	mem_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/dev/shm/aethermart-fuzz-XXXXXX";
	struct vector_options options = {0};
	struct checkpoint_head h;
	struct vector_index *ix = NULL;
	struct err err = {0};
	uint8_t *copy;

	if (size < sizeof(h) || size > 200000)
		return 0;
	copy = mem_dup(data, size);
	seal(copy, size);
	memcpy(&h, copy, sizeof(h));
	if (h.slots > 200 || h.dimension > 64) /* the vectors beside it hold as many */
		h.slots = h.dimension = 1;
	bug_if(!mkdtemp(dir));
	write_file(dir, "graph", copy, size);
	write_others(dir, &h);
	if (vector_open(dir, &options, &ix, &err) == 0) {
		use(ix);
		(void)(vector_close(ix, &err) < 0);
	}
	mem_free(copy);
	bug_if(dir_remove(dir, &err) < 0);
	return 0;
}
