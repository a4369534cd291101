/*
 * The dispatcher: opens the configured provider, and does for all of them what an interface with
 * one contract needs: texts checked before, vectors checked and brought to unit length after, the
 * vectors of queries remembered.
 *
 * A provider writes into memory of this file, never into the caller's: what fails half-way is not
 * seen. The copy costs nothing beside the making of a vector.
 *
 * embedder_open_as() does not hand three more parameters through all providers: it makes a
 * configuration in which the three options have other values, and opens that.
 */
#include "embed/embed_int.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "embed/embed_lru.h"

#include <math.h>
#include <utf8proc.h>

#include "base/banned.h"

#define CALL_FLOATS_MAX ((size_t)1 << 30) /* of one call: a caller that asks for more pages */

struct embedder {
	struct embed_provider *provider;
	struct config *config; /* made by embedder_open_as(); NULL: the caller's */
	struct arena arena;    /* of that configuration's options */
	struct embed_lru *queries;
	bool may_see_pii;
	struct metric *texts, *hits, *misses;
};

/* --- opening --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*open)(const struct config *config, struct embed_provider **ret, struct err *err);
} providers[] = {
    {"local", embed_local_open},
    {"gemini", embed_gemini_open},
    {"openai", embed_openai_open},
};

static void count(struct embedder *e)
{
	e->texts =
	    metric_series(METRIC_COUNTER, "aethermart_embed_texts_total",
			  "Texts that were embedded.", "provider", e->provider->info.provider);
	e->hits = metric_series(METRIC_COUNTER, "aethermart_embed_query_cache_hits_total",
				"Queries whose vector was still in memory.", NULL, NULL);
	e->misses = metric_series(METRIC_COUNTER, "aethermart_embed_query_cache_misses_total",
				  "Queries whose vector had to be made.", NULL, NULL);
}

static int open_provider(const struct config *config, const char *name, struct embed_provider **ret,
			 struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (cstr_equal(providers[i].name, name))
			return providers[i].open(config, ret, err);
	return err_set(err, ERR_INVALID_ARGUMENT, "there is no provider \"%s\" of embeddings",
		       name);
}

static int check_dimension(const struct embedder_info *info, int64_t asked, struct err *err)
{
	bug_if(info->dimension == 0 || info->dimension > EMBED_DIMENSION_MAX);
	if (asked == 0 || asked == info->dimension)
		return 0;
	(void)err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" makes vectors of %u numbers, not %lld",
		      info->model, info->dimension, (long long)asked);
	return err_hint(err, "leave embed.dimension unset");
}

/* Every vector carries it. */
static int check_name(const char *provider, const char *model, struct err *err)
{
	size_t most = EMBED_MODEL_MAX - 2 - strlen(provider);

	if (!model || strlen(model) <= most)
		return 0;
	return err_set(err, ERR_INVALID_ARGUMENT, "embed.model is longer than %zu bytes", most);
}

static int open_as_configured(struct embedder *e, const struct config *config, struct err *err)
{
	const char *provider = config_text(config, "embed.provider");
	int r = check_name(provider, config_text(config, "embed.model"), err);

	if (r == 0)
		r = open_provider(config, provider, &e->provider, err);
	if (r < 0)
		return r;
	r = check_dimension(&e->provider->info, config_int(config, "embed.dimension"), err);
	if (r < 0)
		return r;
	e->may_see_pii =
	    !e->provider->info.is_remote || cstr_equal(config_text(config, "embed.pii"), "remote");
	e->queries = embed_lru_new((size_t)config_int(config, "embed.query_cache"),
				   e->provider->info.dimension);
	count(e);
	return 0;
}

int embedder_open(const struct config *config, struct embedder **ret, struct err *err)
{
	_cleanup_(embedder_freep) struct embedder *e = MEM_NEW(struct embedder);
	int r = open_as_configured(e, config, err);

	if (r == 0)
		*ret = TAKE_PTR(e);
	return r;
}

struct embedder *embedder_free(struct embedder *e)
{
	if (!e)
		return NULL;
	if (e->provider)
		embed_provider_free(e->provider);
	embed_lru_free(e->queries);
	config_free(e->config);
	arena_done(&e->arena);
	mem_free(e);
	return NULL;
}

/* --- opening another space ------------------------------------------------------------------- */

static const char *value_of(const struct config *config, const struct config_item *item,
			    struct arena *arena)
{
	const struct config_option *o = item->option;

	if (!(o->flags & CONFIG_SECRET)) /* those are not shown */
		return item->value;
	return config_text(config, arena_printf(arena, "%s.%s", o->section, o->name));
}

/* The folder in embed.dir is that of the local model which the configuration names. Of another one
 * its files would only bear the name. */
static bool is_configured_local(const struct config *config, const char *provider,
				const char *model)
{
	const char *own = config_text(config, "embed.model");

	return cstr_equal(provider, "local") && own && cstr_equal(own, model) &&
	       cstr_equal(config_text(config, "embed.provider"), "local");
}

/*
 * The configuration with other values for some options: its options again, each with what it has
 * as default.
 */
static int derive_config(struct embedder *e, const struct config *config, const char *provider,
			 const char *model, const char *dimension, struct err *err)
{
	bool keeps_dir = is_configured_local(config, provider, model);
	const struct config_item *items;
	size_t n = config_items(config, &items);
	struct config_option *options = arena_alloc(&e->arena, (n + 1) * sizeof(*options));
	const struct config_option *tables[] = {options, NULL};

	for (size_t i = 0; i < n; i++) {
		struct config_option *o = &options[i];

		*o = *items[i].option;
		o->fallback = value_of(config, &items[i], &e->arena);
		if (!cstr_equal(o->section, "embed"))
			continue;
		if (cstr_equal(o->name, "provider"))
			o->fallback = provider;
		else if (cstr_equal(o->name, "model"))
			o->fallback = model;
		else if (cstr_equal(o->name, "dimension"))
			o->fallback = dimension;
		else if (cstr_equal(o->name, "dir") && !keeps_dir)
			o->fallback = NULL;
	}
	return config_parse(tables, "embed", "", 0, &e->config, err);
}

static int check_may_open(const struct config *config, const char *provider, struct err *err)
{
	const char *configured = config_text(config, "embed.provider");

	if (cstr_equal(provider, "local") || cstr_equal(provider, configured))
		return 0;
	if (cstr_equal(configured, "local") && config_text(config, "embed.endpoint"))
		return 0;
	(void)err_set(err, ERR_PERMISSION,
		      "the configuration no longer lets texts go to provider \"%s\"", provider);
	return err_hint(err, "an index of its vectors can be asked again when it is made anew");
}

int embedder_open_as(const struct config *config, const char *model, unsigned dimension,
		     struct embedder **ret, struct err *err)
{
	_cleanup_(embedder_freep) struct embedder *e = MEM_NEW(struct embedder);
	const char *slash = strchr(model, '/');
	const char *provider;
	int r;

	if (!slash || !slash[1] || dimension == 0 || dimension > EMBED_DIMENSION_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT, "\"%s\" with %u numbers is no model",
			       model, dimension);
	provider = arena_strndup(&e->arena, model, (size_t)(slash - model));
	r = check_may_open(config, provider, err);
	if (r == 0)
		r = derive_config(e, config, provider, arena_strdup(&e->arena, slash + 1),
				  arena_printf(&e->arena, "%u", dimension), err);
	if (r == 0)
		r = open_as_configured(e, e->config, err);
	if (r < 0)
		return err_context(err, "opening \"%s\"", model);
	if (!cstr_equal(e->provider->info.model, model))
		return err_set(err, ERR_NOT_FOUND, "\"%s\" is not here, only \"%s\"", model,
			       e->provider->info.model);
	*ret = TAKE_PTR(e);
	return 0;
}

const struct embedder_info *embedder_info(const struct embedder *e)
{
	return &e->provider->info;
}

bool embedder_may_see_pii(const struct embedder *e)
{
	return e->may_see_pii;
}

/* --- texts and vectors ----------------------------------------------------------------------- */

static struct str with_replacements(struct arena *arena, struct str s)
{
	struct strbuf b = STRBUF_INIT(EMBED_TEXT_MAX * 3); /* U+FFFD has three bytes */
	struct str copy;

	for (size_t i = 0; i < s.len;) {
		utf8proc_int32_t c;
		utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.data + i,
						      (utf8proc_ssize_t)(s.len - i), &c);

		if (n > 0)
			strbuf_add(&b, s.data + i, (size_t)n);
		else
			strbuf_addstr(&b, UTF8_REPLACEMENT);
		i += n > 0 ? (size_t)n : 1;
	}
	copy = arena_str(arena, strbuf_slice(&b));
	strbuf_done(&b);
	return copy;
}

static int clean_texts(struct arena *arena, const struct str *texts, size_t n, struct str *ret,
		       struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (texts[i].len > EMBED_TEXT_MAX)
			return err_set(err, ERR_LIMIT,
				       "text %zu has %zu bytes, above the limit of %zu", i,
				       texts[i].len, EMBED_TEXT_MAX);
		ret[i] = texts[i].len ? texts[i] : str_from("");
		if (!utf8_is_valid(ret[i].data, ret[i].len))
			ret[i] = with_replacements(arena, ret[i]);
	}
	return 0;
}

static int make_unit(const struct embedder_info *info, float *v, size_t number, struct err *err)
{
	double sum = 0, scale;

	for (unsigned i = 0; i < info->dimension; i++)
		sum += (double)v[i] * (double)v[i];
	if (!isfinite(sum) || sum <= 0) /* not finite when one of them is not */
		return err_set(err, ERR_CORRUPTED, "\"%s\" made of text %zu a vector %s",
			       info->model, number,
			       isfinite(sum) ? "of length 0" : "that is not finite");
	scale = 1 / sqrt(sum);
	for (unsigned i = 0; i < info->dimension; i++)
		v[i] = (float)((double)v[i] * scale);
	return 0;
}

static int make_vectors(struct embedder *e, enum embed_task task, const struct str *texts, size_t n,
			float *ret, struct err *err)
{
	const struct embedder_info *info = &e->provider->info;
	int r = n ? e->provider->embed(e->provider, task, texts, n, ret, err) : 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = make_unit(info, ret + i * info->dimension, i, err);
	if (r == 0)
		metric_add(e->texts, n);
	return r;
}

/* What is remembered goes into `ret`; the rest is moved to the front, with its places. */
static size_t recall(struct embedder *e, struct str *texts, size_t n, size_t *places, float *ret)
{
	size_t dimension = e->provider->info.dimension, left = 0;

	for (size_t i = 0; i < n; i++) {
		if (embed_lru_get(e->queries, texts[i], ret + i * dimension))
			continue;
		texts[left] = texts[i];
		places[left++] = i;
	}
	metric_add(e->hits, n - left);
	metric_add(e->misses, left);
	return left;
}

struct scratch {
	struct arena arena;
	struct str *texts;
	size_t *places;
	float *all, *made; /* `all` in the order of the texts */
};

static void scratch_done(struct scratch *s)
{
	mem_free(s->texts);
	mem_free(s->places);
	mem_free(s->all);
	mem_free(s->made);
	arena_done(&s->arena);
}

static int embed_queries(struct embedder *e, struct scratch *s, size_t n, struct err *err)
{
	size_t dimension = e->provider->info.dimension;
	size_t left = recall(e, s->texts, n, s->places, s->all);
	int r;

	s->made = mem_alloc_array(left, dimension * sizeof(float));
	r = make_vectors(e, EMBED_QUERY, s->texts, left, s->made, err);
	for (size_t i = 0; i < left && r == 0; i++) {
		const float *v = s->made + i * dimension;

		embed_lru_put(e->queries, s->texts[i], v);
		memcpy(s->all + s->places[i] * dimension, v, dimension * sizeof(float));
	}
	return r;
}

int embedder_embed(struct embedder *e, enum embed_task task, const struct str *texts, size_t n,
		   float *ret, struct err *err)
{
	_cleanup_(scratch_done) struct scratch s = {0};
	size_t dimension = e->provider->info.dimension;
	struct err unused = {0};
	void *all = NULL;
	int r;

	if (n == 0)
		return 0;
	if (n > CALL_FLOATS_MAX / dimension)
		return err_set(err, ERR_LIMIT, "%zu texts at once are above the limit of %zu", n,
			       CALL_FLOATS_MAX / dimension);
	err = err ? err : &unused;
	s.texts = mem_alloc_array(n, sizeof(*s.texts));
	s.places = mem_alloc_array(n, sizeof(*s.places));
	r = mem_try_alloc(n * dimension * sizeof(float), CALL_FLOATS_MAX * sizeof(float), &all,
			  err);
	s.all = all;
	if (r == 0)
		r = clean_texts(&s.arena, texts, n, s.texts, err);
	if (r < 0)
		return r;
	r = task == EMBED_QUERY ? embed_queries(e, &s, n, err)
				: make_vectors(e, task, s.texts, n, s.all, err);
	if (r == 0)
		memcpy(ret, s.all, n * dimension * sizeof(float));
	return r;
}
