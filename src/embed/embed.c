/* The dispatcher: the local provider alone. See embed.h. */
#include "embed/embed_int.h"

#include "base/mem.h"

#include "base/banned.h"

struct embedder {
	struct embed_provider *provider;
};

int embedder_open(const struct config *config, struct embedder **ret, struct err *err)
{
	struct embed_provider *p = NULL;
	int r = embed_local_open(config, &p, err);

	if (r < 0)
		return r;
	*ret = MEM_NEW(struct embedder);
	(*ret)->provider = p;
	return 0;
}

struct embedder *embedder_free(struct embedder *e)
{
	if (!e)
		return NULL;
	embed_provider_free(e->provider);
	mem_free(e);
	return NULL;
}

const struct embedder_info *embedder_info(const struct embedder *e)
{
	return &e->provider->info;
}

int embedder_embed(struct embedder *e, enum embed_task task, const struct str *texts, size_t n,
		   float *ret, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (texts[i].len > EMBED_TEXT_MAX)
			return err_set(err, ERR_LIMIT, "text %zu has %zu bytes, above %zu", i,
				       texts[i].len, EMBED_TEXT_MAX);
	return n ? e->provider->embed(e->provider, task, texts, n, ret, err) : 0;
}
