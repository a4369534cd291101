/*
 * Regular expressions of checks: PCRE2, which MariaDB's REGEXP is too, so that a check means the
 * same of a row and of a document. The steps of one match are limited: a pattern that would take
 * hours on one text does not hold up the worker; such a text does not match.
 */
#include "govern/quality_int.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/banned.h"

/* A text of some hundred bytes takes as many by a reasonable pattern. */
#define MATCH_STEPS 100000

struct quality_pattern {
	pcre2_code *code;
	pcre2_match_context *context;
};

const char *const quality_format_names[] = {"email",   "phone",	   "url",    "uuid", "ean13",
					    "country", "currency", "locale", NULL};

const char *quality_format(const char *name)
{
	static const char *const patterns[] = {
	    "^[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)*\\.[^@\\s.]{2,}$",
	    "^[+(]?[0-9][0-9 ()./-]{5,}$",
	    "^https?://[^\\s/]+(/\\S*)?$",
	    "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
	    "^[0-9]{13}$",
	    "^[A-Z]{2}$",
	    "^[A-Z]{3}$",
	    "^[a-z]{2,3}([-_][A-Z]{2})?$",
	};

	for (size_t i = 0; quality_format_names[i]; i++)
		if (cstr_equal(quality_format_names[i], name))
			return patterns[i];
	return NULL;
}

int quality_pattern_new(const char *text, struct quality_pattern **ret, const char **ret_why,
			struct arena *arena)
{
	int code;
	size_t at;
	pcre2_code *compiled =
	    pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
	struct quality_pattern *p;

	if (!compiled) {
		unsigned char message[120];

		(void)pcre2_get_error_message(code, message, sizeof(message));
		*ret_why = arena_printf(arena, "%s at character %zu", message, at + 1);
		return -1;
	}
	p = MEM_NEW(struct quality_pattern);
	p->code = compiled;
	p->context = pcre2_match_context_create(NULL);
	bug_if(!p->context);
	(void)pcre2_set_match_limit(p->context, MATCH_STEPS);
	(void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it matching is slower */
	*ret = p;
	return 0;
}

bool quality_pattern_matches(const struct quality_pattern *p, struct str text)
{
	pcre2_match_data *place = pcre2_match_data_create(1, NULL);
	int n;

	bug_if(!place);
	n = pcre2_match(p->code, (PCRE2_SPTR)text.data, text.len, 0, 0, place, p->context);
	pcre2_match_data_free(place);
	return n >= 0; /* below: no match, no UTF-8, too many steps */
}

void quality_pattern_free(struct quality_pattern *p)
{
	if (!p)
		return;
	pcre2_match_context_free(p->context);
	pcre2_code_free(p->code);
	mem_free(p);
}
