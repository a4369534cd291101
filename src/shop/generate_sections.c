/* Embedded texts as named sections of lines: see generate_int.h. */
#include "shop/generate_int.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

#define SECTION_NAME_MAX 64

struct str gen_cut(struct str *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
	struct str part = *rest;

	if (!end) {
		*rest = (struct str){NULL, 0};
		return part;
	}
	part.len = (size_t)(end - rest->data);
	rest->data += part.len + 1;
	rest->len -= part.len + 1;
	return part;
}

static struct gen_section *open_section(struct gen_text *t, struct str name)
{
	void **slot = map_put(&t->by_name, name);

	if (!*slot) {
		mem_grow(&t->sections, &t->cap, t->n + 1, sizeof(*t->sections));
		t->sections[t->n++].name = name;
		*slot = (void *)(uintptr_t)t->n;
	}
	return &t->sections[(uintptr_t)*slot - 1];
}

void gen_text_add(struct gen_text *t, const char *text)
{
	struct str rest = str_from(text);
	struct gen_section *s = NULL;

	while (rest.len) {
		struct str line = str_trim(gen_cut(&rest, '\n'));

		if (!line.len || line.data[0] == '#')
			continue;
		if (line.data[0] == '[' && line.data[line.len - 1] == ']') {
			s = open_section(t, (struct str){line.data + 1, line.len - 2});
			continue;
		}
		bug_if(!s);
		mem_grow(&s->lines, &s->cap, s->n + 1, sizeof(*s->lines));
		s->lines[s->n++] = line;
	}
}

void gen_text_done(struct gen_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		mem_free(t->sections[i].lines);
	mem_free(t->sections);
	map_done(&t->by_name);
	*t = (struct gen_text){0};
}

static const struct gen_section *find(const struct gen_text *t, const char *name)
{
	uintptr_t i = (uintptr_t)map_get(&t->by_name, str_from(name));

	return i ? &t->sections[i - 1] : NULL;
}

const struct gen_section *gen_text_getf(const struct gen_text *t, const char *fmt, ...)
{
	char name[SECTION_NAME_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	return find(t, name);
}

const struct gen_section *gen_text_need(const struct gen_text *t, const char *name)
{
	const struct gen_section *s = find(t, name);

	bug_if(!s || !s->n);
	return s;
}
