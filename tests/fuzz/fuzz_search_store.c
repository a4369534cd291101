/*
 * Any bytes as a file of records, with the checksums of well-formed ones made right: refused, or
 * read as far as it goes, and then it can be gone on with.
 */
#include "base/file.h"
#include "base/map.h"
#include "fuzz.h"
#include "search/search_store.h"

#include <stdlib.h>

#include "base/banned.h"

const char fuzz_corpus[] = "search_store";

#define HASH   7
#define HEADER 48U
#define RECORD 24U

struct told {
	uint32_t numbers, records;
};

static uint64_t checksum(const uint8_t *data, size_t n)
{
	return map_hash((struct str){(const char *)data, n});
}

static void seal_record(uint8_t *at, uint32_t size)
{
	uint8_t kind = at[8];
	uint32_t check;
	uint64_t sum;

	at[8] &= 0x7F;
	check = (uint32_t)checksum(at, 12);
	memcpy(at + 12, &check, 4);
	memset(at + 16, 0, 8);
	sum = checksum(at, RECORD) * 31 + checksum(at + RECORD, size);
	memcpy(at + 16, &sum, 8);
	at[8] = kind;
}

static void seal(uint8_t *data, size_t size)
{
	static const uint8_t begin[] = {'A', 'M', 'S', 'E', 'A', 'R', 'C', 'H', 1, 0, 0, 0};
	uint64_t sum;

	memcpy(data, begin, sizeof(begin));
	sum = checksum(data, HEADER - 8);
	memcpy(data + HEADER - 8, &sum, 8);
	for (size_t at = HEADER; size - at >= RECORD;) {
		uint32_t bytes;

		memcpy(&bytes, data + at, 4);
		if (bytes > size - at - RECORD)
			return;
		seal_record(data + at, bytes);
		at += RECORD + bytes;
	}
}

static int tell(void *arg, uint32_t number, struct str key, const struct search_stored *at,
		const struct str *content, struct err *err)
{
	struct told *t = arg;

	(void)err;
	bug_if(number > t->records + 65536 / RECORD); /* by the records before, marked ones too */
	bug_if(content && content->len != at->size);
	bug_if(key.len > UINT16_MAX);
	t->numbers = number >= t->numbers ? number + 1 : t->numbers;
	t->records++;
	return 0;
}

/* One more document, which is there after opening it again. */
static void go_on(struct search_store *s, const struct search_store_options *options,
		  struct told *t)
{
	struct str key = {"k", 1}, content = {"c", 1};
	struct search_stored at;
	uint32_t number = t->numbers;
	struct err err = {0};

	bug_if(search_store_put(s, number, key, &content, NULL, &at, &err) < 0);
	bug_if(search_store_wipe(s, 0, &err) < 0 || search_store_sync(s, &err) < 0);
	search_store_free(s);
	*t = (struct told){0};
	bug_if(search_store_open(options, &s, &err) < 0);
	bug_if(search_store_is_stale(s) || t->numbers != number + 1);
	search_store_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/dev/shm/aethermart-fuzz-XXXXXX";
	struct told told = {0};
	struct search_store_options options = {.hash = HASH, .each = tell, .arg = &told};
	struct search_store *s = NULL;
	struct err err = {0};
	uint8_t *copy;
	char *path;
	int r;

	if (size < HEADER || size > 65536)
		return 0;
	copy = mem_dup(data, size);
	if (data[0] & 1U)
		seal(copy, size);
	bug_if(!mkdtemp(dir));
	path = mem_printf("%s/records", dir);
	options.path = path;
	bug_if(file_write_atomic(path, copy, size, 0600, &err) < 0);
	r = search_store_open(&options, &s, &err);
	bug_if(r < 0 && r != -ERR_CORRUPTED);
	if (r == 0)
		go_on(s, &options, &told);
	mem_free(copy);
	mem_free(path);
	bug_if(dir_remove(dir, &err) < 0);
	return 0;
}
