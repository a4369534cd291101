/* Any bytes as checks of data quality: checks that can be asked, or an error that says where. What
 * was read is asked of a document with values of many types. */
#include "fuzz.h"
#include "govern/quality.h"

#include "base/banned.h"

const char fuzz_corpus[] = "govern_quality";

static const char document[] =
    "{\"name\": \"x\", \"price\": {\"$numberDecimal\": \"1.50\"}, \"n\": 7, \"none\": null,"
    " \"category\": {\"name\": \"y\"}, \"addresses\": [{\"zip\": \"1\"}, {\"zip\": 2}, 3],"
    " \"email\": \"a@b.example\"}";

static void judge(const struct quality_check *c, const bson_t *doc)
{
	if (c->kind != QUALITY_MISSING && c->kind != QUALITY_INVALID)
		return;
	if (c->collection)
		bug_if(!c->field || (c->kind == QUALITY_INVALID &&
				     quality_judge(c, doc) != quality_judge(c, doc)));
	else
		bug_if(c->n_columns != 1 || c->streams);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quality_checks *checks = NULL;
	struct err err = {0};
	bson_t *doc;

	if (quality_parse("fuzz.yaml", (const char *)data, size, &checks, &err) < 0) {
		bug_if(!err.message[0] || checks);
		return 0;
	}
	doc = bson_new_from_json((const uint8_t *)document, -1, NULL);
	bug_if(!doc);
	for (size_t i = 0; i < checks->n; i++) {
		const struct quality_check *c = &checks->items[i];

		bug_if(!c->name[0] || !c->about[0] || !c->owner[0] || c->timeout_ms < 1);
		bug_if(c->table && c->collection);
		judge(c, doc);
	}
	bson_destroy(doc);
	quality_free(checks);
	return 0;
}
