/* Vocabularies for tests: see query_catalogue.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query_catalogue.h"

#include "base/file.h"
#include "base/map.h"

#include <stdlib.h>

#include "base/banned.h"

#define COLLECTIONS_MAX 4

struct collection {
	const struct search_collection *rules;
	uint32_t documents;
	struct map words;
	size_t n, cap;
	struct value {
		const char *attribute;
		struct search_value value;
	} * values;
	struct search_vocabulary *vocabulary;
};

struct query_catalogue {
	char *text;
	struct search_rules *rules;
	size_t n;
	struct collection collections[COLLECTIONS_MAX];
};

char *query_catalogue_read(const char *path)
{
	const char *root = getenv("AETHERMART_SOURCE_ROOT");
	_cleanup_(mem_freep) char *whole = mem_printf("%s/%s", root ? root : ".", path);
	struct strbuf b = STRBUF_INIT(0);
	struct err err = {0};

	if (file_read(whole, &b, &err) < 0)
		fail_msg("%s", err.message);
	return strbuf_take(&b);
}

static void each_value(void *arg, size_t attribute,
		       void (*each)(void *to, const struct search_value *v), void *to)
{
	const struct collection *c = arg;

	for (size_t i = 0; i < c->n; i++) {
		if (cstr_equal(c->values[i].attribute, c->rules->attributes[attribute].name))
			each(to, &c->values[i].value);
	}
}

static uint32_t documents_with(void *arg, struct str word)
{
	const struct collection *c = arg;
	const struct value *v = map_get(&c->words, word);

	return v ? v->value.documents : 0;
}

static void add_line(struct query_catalogue *c, char *line)
{
	struct collection *last = &c->collections[c->n - 1];
	char *attribute = strsep(&line, "\t"), *number = strsep(&line, "\t");
	uint64_t documents = 0;

	assert_non_null(number);
	assert_int_equal(parse_uint64(str_from(number), UINT32_MAX, &documents, NULL), 0);
	if (*attribute == '@') {
		assert_true(c->n < COLLECTIONS_MAX);
		last = &c->collections[c->n++];
		last->rules = search_rules_find(c->rules, attribute + 1);
		last->documents = (uint32_t)documents;
		return;
	}
	assert_non_null(line);
	mem_grow(&last->values, &last->cap, last->n + 1, sizeof(*last->values));
	last->values[last->n++] = (struct value){attribute, {line, (uint32_t)documents}};
}

static struct search_vocabulary *make(struct collection *c)
{
	struct search_catalogue catalogue = {.rules = c->rules,
					     .documents = c->documents,
					     .values = each_value,
					     .word = documents_with,
					     .arg = c};

	for (size_t i = 0; i < c->n; i++) {
		if (cstr_equal(c->values[i].attribute, "*"))
			*map_put(&c->words, str_from(c->values[i].value.text)) = &c->values[i];
	}
	return search_vocabulary_new(&catalogue);
}

struct query_catalogue *query_catalogue_new(void)
{
	struct query_catalogue *c = MEM_NEW(struct query_catalogue);
	_cleanup_(mem_freep) char *rules = query_catalogue_read("rules/search.yaml");
	struct err err = {0};
	char *rest, *line;

	if (search_rules_parse("search.yaml", str_from(rules), &c->rules, &err) < 0)
		fail_msg("%s", err.message);
	c->text = query_catalogue_read("tests/data/search/vocabulary.tsv");
	rest = c->text;
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			add_line(c, line);
	}
	for (size_t i = 0; i < c->n; i++)
		c->collections[i].vocabulary = make(&c->collections[i]);
	return c;
}

struct query_catalogue *query_catalogue_free(struct query_catalogue *c)
{
	for (size_t i = 0; c && i < c->n; i++) {
		(void)search_vocabulary_free(c->collections[i].vocabulary);
		map_done(&c->collections[i].words);
		mem_free(c->collections[i].values);
	}
	if (c)
		(void)search_rules_free(c->rules);
	if (c)
		mem_free(c->text);
	mem_free(c);
	return NULL;
}

const struct search_vocabulary *query_catalogue_vocabulary(struct query_catalogue *c,
							   const char *collection)
{
	for (size_t i = 0; i < c->n; i++) {
		if (cstr_equal(c->collections[i].rules->name, collection))
			return c->collections[i].vocabulary;
	}
	return NULL;
}
