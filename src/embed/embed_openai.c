/*
 * OpenAI's API of embeddings, which Ollama, vLLM, TEI, LM Studio, llama.cpp and others speak too.
 *
 * POST {endpoint}/embeddings with model, input[] and encoding_format; the answer is data[], each
 * with index and embedding, in any order. An endpoint without a path gets /v1/embeddings, one that
 * ends in /embeddings is taken as it is, to every other /embeddings is added: so
 * "http://localhost:11434", "http://localhost:11434/v1" and "http://localhost:11434/v1/embeddings"
 * are the same.
 *
 * `dimensions` is sent when embed.dimension is not what the model is known to have. But some must
 * be told a dimension only because we do not know their model, and vLLM refuses the parameter for
 * models that cannot be shortened (vllm-project/vllm#16331), even with their own dimension: a
 * request that was refused with it is repeated without, and if the vectors then have the dimension,
 * it stays so.
 *
 * A query and a document are not told apart: the API has no parameter for it.
 */
#include "embed/embed_remote_int.h"

#include "base/mem.h"

#include "base/banned.h"

static const struct embed_model models[] = {
    {"text-embedding-3-small", 1536},
    {"text-embedding-3-large", 3072},
    {"text-embedding-ada-002", 1536},
    {"nomic-embed-text", 768},
    {"mxbai-embed-large", 1024},
    {"all-minilm", 384},
    {"bge-m3", 1024},
    {"BAAI/bge-m3", 1024},
    {"embeddinggemma", 768},
    {0},
};

static void add_url(const struct embed_remote *r, bool is_plain, struct strbuf *url)
{
	size_t len = strlen(r->base), tail = strlen("/embeddings");

	(void)is_plain;
	strbuf_addstr(url, r->base);
	if (!r->has_path)
		strbuf_addstr(url, "/v1/embeddings");
	else if (len < tail || !cstr_equal(r->base + len - tail, "/embeddings"))
		strbuf_addstr(url, "/embeddings");
}

static void add_body(const struct embed_remote *r, bool is_plain, enum embed_task task,
		     const struct str *texts, size_t n, struct strbuf *body)
{
	(void)task;
	strbuf_addstr(body, "{\"model\":");
	strbuf_add_json(body, r->model, strlen(r->model));
	strbuf_addstr(body, ",\"input\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_addch(body, ',');
		strbuf_add_json(body, texts[i].data, texts[i].len);
	}
	strbuf_addstr(body, "],\"encoding_format\":\"float\"");
	if (r->asks_dimension && !is_plain)
		strbuf_addf(body, ",\"dimensions\":%u", r->dimension);
	strbuf_addch(body, '}');
}

static int read_item(const struct embed_remote *r, const json_t *item, size_t n, bool *is_there,
		     float *ret, struct err *err)
{
	const json_t *index = json_object_get(item, "index");
	json_int_t i = json_is_integer(index) ? json_integer_value(index) : -1;

	if (i < 0 || (uint64_t)i >= n)
		return err_set(err, ERR_CORRUPTED, "a vector without an index below %zu", n);
	if (is_there[i])
		return err_set(err, ERR_CORRUPTED, "vector %zu twice", (size_t)i);
	is_there[i] = true;
	if (embed_vector_read(json_object_get(item, "embedding"), r->dimension,
			      ret + (size_t)i * r->dimension, err) < 0)
		return err_context(err, "vector %zu", (size_t)i);
	return 0;
}

static int read_answer(const struct embed_remote *r, const json_t *answer, size_t n, float *ret,
		       struct err *err)
{
	_cleanup_(mem_freep) bool *is_there = mem_alloc_array(n, sizeof(*is_there));
	const json_t *data = json_object_get(answer, "data");

	if (!json_is_array(data))
		return err_set(err, ERR_CORRUPTED, "no list \"data\"");
	if (json_array_size(data) != n)
		return err_set(err, ERR_CORRUPTED, "%zu vectors for %zu texts",
			       json_array_size(data), n);
	for (size_t i = 0; i < n; i++) {
		int rc = read_item(r, json_array_get(data, i), n, is_there, ret, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_form_refused(const struct embed_remote *r, const struct embed_failure *f)
{
	return r->asks_dimension && (f->status == 400 || f->status == 422) && !f->is_key;
}

const struct embed_dialect embed_openai_dialect = {
    .name = "openai",
    .endpoint = "https://api.openai.com/v1",
    .domain = "openai.com",
    .key_option = "embed.openai_api_key",
    .key_environment = "OPENAI_API_KEY",
    .key_header = "Authorization: Bearer ",
    .needs_key = false,
    .batch = 32, /* as many as TEI takes by default */
    .batch_max = 2048,
    .models = models,
    .add_url = add_url,
    .add_body = add_body,
    .read_answer = read_answer,
    .is_form_refused = is_form_refused,
};

int embed_openai_open(const struct config *config, struct embed_provider **ret, struct err *err)
{
	return embed_remote_open(config, &embed_openai_dialect, ret, err);
}
