/*
 * Google's Gemini API, as it is in 2026.
 *
 * POST {endpoint}/models/{model}:batchEmbedContents with requests[], each naming the model and one
 * text in content.parts[]; the answer is embeddings[].values in the order of the requests. One text
 * goes to :embedContent, whose answer is embedding.values. Several texts in one content would give
 * one vector of all of them. A model may lack the batch method (reports of gemini-embedding-2
 * differ): it answers 404, and single requests in parallel take over.
 *
 * What the vector is for: the -001 models have the parameter taskType. gemini-embedding-2 ignores
 * it and wants the task in the text; leaving it out costs half of the retrieval quality
 * (embeddings-benchmark/mteb#4851). Its parameters are in embedContentConfig, the older models' at
 * the top level. Names of models are the configuration's: one lives about a year.
 *
 * The key goes into the header x-goog-api-key, not into the URL, which proxies log.
 */
#include "embed/embed_remote_int.h"

#include <ctype.h>

#include "base/banned.h"

static const struct embed_model models[] = {
    {"gemini-embedding-2", 3072},
    {"gemini-embedding-2-preview", 3072},
    {"gemini-embedding-001", 3072},
    {0},
};

/* The name becomes a part of the URL's path. */
static int check_model(const char *model, struct err *err)
{
	for (const char *s = model; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("._-", *s))
			continue;
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "embed.model \"%s\" is no name of a model of Gemini", model);
		return err_hint(err, "write it without \"models/\", for example %s",
				models[0].name);
	}
	return 0;
}

static bool has_task_type(const char *model)
{
	size_t len = strlen(model);

	return (len >= 4 && cstr_equal(model + len - 4, "-001")) ||
	       strncmp(model, "text-embedding-", 15) == 0;
}

static void add_url(const struct embed_remote *r, bool is_plain, struct strbuf *url)
{
	strbuf_addf(url, "%s%s/models/%s:%s", r->base, r->has_path ? "" : "/v1beta", r->model,
		    is_plain ? "embedContent" : "batchEmbedContents");
}

static void add_text(const struct embed_remote *r, enum embed_task task, struct str text,
		     struct strbuf *b)
{
	struct strbuf whole = STRBUF_INIT(0);

	if (!has_task_type(r->model))
		strbuf_addstr(&whole, task == EMBED_QUERY ? "task: search result | query: "
							  : "title: none | text: ");
	strbuf_add(&whole, text.data, text.len);
	strbuf_add_json(b, strbuf_str(&whole), whole.len);
	strbuf_done(&whole);
}

static void add_request(const struct embed_remote *r, enum embed_task task, struct str text,
			struct strbuf *b)
{
	strbuf_addf(b, "{\"model\":\"models/%s\",\"content\":{\"parts\":[{\"text\":", r->model);
	add_text(r, task, text, b);
	strbuf_addstr(b, "}]}");
	if (has_task_type(r->model))
		strbuf_addf(b, ",\"taskType\":\"%s\",\"outputDimensionality\":%u}",
			    task == EMBED_QUERY ? "RETRIEVAL_QUERY" : "RETRIEVAL_DOCUMENT",
			    r->dimension);
	else
		strbuf_addf(b, ",\"embedContentConfig\":{\"outputDimensionality\":%u}}",
			    r->dimension);
}

static void add_body(const struct embed_remote *r, bool is_plain, enum embed_task task,
		     const struct str *texts, size_t n, struct strbuf *body)
{
	if (is_plain) {
		bug_if(n != 1);
		add_request(r, task, texts[0], body);
		return;
	}
	strbuf_addstr(body, "{\"requests\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_addch(body, ',');
		add_request(r, task, texts[i], body);
	}
	strbuf_addstr(body, "]}");
}

static int read_answer(const struct embed_remote *r, const json_t *answer, size_t n, float *ret,
		       struct err *err)
{
	const json_t *list = json_object_get(answer, "embeddings");
	const json_t *one = json_object_get(answer, "embedding");

	if (!list && one && n == 1)
		return embed_vector_read(json_object_get(one, "values"), r->dimension, ret, err);
	if (!json_is_array(list))
		return err_set(err, ERR_CORRUPTED, "no list \"embeddings\"");
	if (json_array_size(list) != n)
		return err_set(err, ERR_CORRUPTED, "%zu vectors for %zu texts",
			       json_array_size(list), n);
	for (size_t i = 0; i < n; i++) {
		const json_t *values = json_object_get(json_array_get(list, i), "values");
		int rc = embed_vector_read(values, r->dimension, ret + i * r->dimension, err);

		if (rc < 0)
			return err_context(err, "vector %zu", i);
	}
	return 0;
}

static bool is_form_refused(const struct embed_remote *r, const struct embed_failure *f)
{
	(void)r;
	if (f->status == 404 || f->status == 405 || f->status == 501)
		return true;
	return f->status == 400 && strcasestr(f->message, "batch");
}

const struct embed_dialect embed_gemini_dialect = {
    .name = "gemini",
    .endpoint = "https://generativelanguage.googleapis.com/v1beta",
    .domain = "googleapis.com",
    .key_option = "embed.gemini_api_key",
    .key_environment = "GEMINI_API_KEY",
    .key_header = "x-goog-api-key: ",
    .needs_key = true,
    .batch = 100,
    .batch_max = 100,
    .models = models,
    .check_model = check_model,
    .add_url = add_url,
    .add_body = add_body,
    .read_answer = read_answer,
    .is_form_refused = is_form_refused,
    .is_plain_single = true,
};

int embed_gemini_open(const struct config *config, struct embed_provider **ret, struct err *err)
{
	return embed_remote_open(config, &embed_gemini_dialect, ret, err);
}
