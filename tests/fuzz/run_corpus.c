/* Runs a fuzz target over its corpus as an ordinary unit test, without libFuzzer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/banned.h"

static void every_file_of_the_corpus_is_survived(void **state)
{
	const char *root = getenv("AETHERMART_SOURCE_ROOT");
	char *folder;
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	(void)state;
	if (!root)
		fail_msg("AETHERMART_SOURCE_ROOT is not set: run it with meson test");
	folder = mem_printf("%s/tests/fuzz/corpus/%s", root, fuzz_corpus);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		struct strbuf b = STRBUF_INIT(0);
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		path = mem_printf("%s/%s", folder, entry->d_name);
		assert_int_equal(file_read(path, &b, NULL), 0);
		assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)strbuf_str(&b), b.len), 0);
		strbuf_done(&b);
		mem_free(path);
		n++;
	}
	closedir(dir);
	mem_free(folder);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_file_of_the_corpus_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
