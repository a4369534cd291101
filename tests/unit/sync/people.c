/* See people.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "people.h"

#include "../mapping/fixture.h"

#include <stdio.h>

#include "base/banned.h"

struct mapping *people_mapping(const char *yaml, const struct schema *schema)
{
	struct mapping *m = NULL;
	struct err err = {0};

	if (mapping_parse("m.yaml", yaml, strlen(yaml), &m, &err) < 0 ||
	    mapping_bind(m, schema ? schema : fixture_schema(), &err) < 0)
		fail_msg("%s (%s)", err.message, err.hint);
	return m;
}

bson_t *people_json(const char *text)
{
	bson_error_t e;
	bson_t *b = bson_new_from_json((const uint8_t *)text, -1, &e);

	if (!b)
		fail_msg("%s: %s", text, e.message);
	return b;
}

const char *people_text(const bson_t *b)
{
	static char text[4096];
	char *json = bson_as_relaxed_extended_json(b, NULL);
	const char *mark = strstr(json, "\"_sync\" : {"), *end = mark ? strstr(mark, "} }") : NULL;

	if (end)
		snprintf(text, sizeof(text), "%.*s\"_sync\" : <%s>%s", (int)(mark - json), json,
			 strstr(mark, "left_at") ? "left_at" : "at", end + 3);
	else
		snprintf(text, sizeof(text), "%s", json);
	bson_free(json);
	return text;
}
