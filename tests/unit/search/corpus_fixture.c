/* See corpus_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "corpus_fixture.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

static void no_values(void *arg, size_t attribute,
		      void (*each)(void *to, const struct search_value *v), void *to)
{
	(void)arg;
	(void)attribute;
	(void)each;
	(void)to;
}

void corpus_fixture_start(struct corpus_fixture *f, const char *rules)
{
	static const char template[] = "/dev/shm/aethermart-test-corpus-XXXXXX";
	struct search_catalogue catalogue = {.values = no_values};
	struct err err = {0};

	*f = (struct corpus_fixture){0};
	memcpy(f->dir, template, sizeof(template));
	assert_non_null(mkdtemp(f->dir));
	if (search_rules_parse("s.yaml", str_from(rules), &f->rules, &err) < 0 ||
	    search_analyzer_new("english", &f->analyzer, &err) < 0)
		fail_msg("%s", err.message);
	catalogue.rules = f->collection = search_rules_find(f->rules, "c");
	f->vocabulary = search_vocabulary_new(&catalogue);
}

int corpus_fixture_end(struct corpus_fixture *f)
{
	search_vocabulary_free(f->vocabulary);
	search_analyzer_free(f->analyzer);
	search_rules_free(f->rules);
	return dir_remove(f->dir, NULL);
}

struct search_corpus *corpus_fixture_open(const struct corpus_fixture *f, const char *name,
					  uint64_t hash)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/%s", f->dir, name);
	const struct search_corpus_options options = {
	    .path = path, .rules = f->collection, .hash = hash, .language = "english"};
	struct search_corpus *c = NULL;
	struct err err = {0};

	if (search_corpus_open(&options, &c, &err) < 0)
		fail_msg("%s", err.message);
	return c;
}

void corpus_fixture_put(struct search_corpus *c, uint32_t key, const bson_t *b)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", key);
	struct err err = {0};

	if (search_corpus_put(c, (struct str){text, (size_t)n}, b, &err) < 0)
		fail_msg("%s", err.message);
}
