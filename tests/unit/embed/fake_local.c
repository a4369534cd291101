#include "fake_local.h"

#include "base/map.h"
#include "base/mem.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/banned.h"

struct fake fake;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct fake_provider {
	struct embed_provider provider;
	char *model;
};

static void fill(struct str text, unsigned dimension, float *ret)
{
	uint64_t h = map_hash(text);
	double sum = 0;

	for (unsigned i = 0; i < dimension; i++) {
		h = h * 6364136223846793005u + 1442695040888963407u;
		ret[i] = fake.is_zero ? 0 : (float)(h >> 40) / 16777216.0f - 0.4f;
		sum += (double)ret[i] * (double)ret[i];
	}
	for (unsigned i = 0; i < dimension && sum > 0; i++)
		ret[i] = (float)(5 * (double)ret[i] / sqrt(sum));
}

static int fake_embed(struct embed_provider *self, enum embed_task task, const struct str *texts,
		      size_t n, float *ret, struct err *err)
{
	unsigned dimension = self->info.dimension;
	bool fails;

	(void)task;
	pthread_mutex_lock(&mutex);
	fake.calls++;
	fake.texts += n;
	fake.last_n = n;
	snprintf(fake.last_text, sizeof(fake.last_text), "%.*s", STR_ARGS(texts[0]));
	fails = fake.fail_from && fake.calls >= fake.fail_from;
	pthread_mutex_unlock(&mutex);
	if (fake.hook)
		fake.hook(fake.arg);
	for (size_t i = 0; i < n; i++) {
		bug_if(!utf8_is_valid(texts[i].data, texts[i].len));
		fill(texts[i], dimension, ret + i * dimension);
	}
	if (fake.is_bad)
		ret[(n - 1) * dimension] = fake.bad;
	return fails ? err_set(err, ERR_UNAVAILABLE, "the fake fails") : 0;
}

static void fake_free(struct embed_provider *self)
{
	struct fake_provider *p = (struct fake_provider *)(void *)self;

	mem_free(p->model);
	mem_free(p);
}

int embed_local_open(const struct config *config, struct embed_provider **ret, struct err *err)
{
	struct fake_provider *p = MEM_NEW(struct fake_provider);
	const char *model = config_text(config, "embed.model");
	unsigned dimension = (unsigned)config_int(config, "embed.dimension");
	struct embedder_info info = {.provider = "local",
				     .dimension = dimension ? dimension : FAKE_DIMENSION,
				     .is_remote = fake.is_remote};

	(void)err;
	fake.had_dir = config_text(config, "embed.dir") != NULL;
	p->model = mem_printf("local/%s", model ? model : "fake");
	info.model = p->model;
	p->provider = (struct embed_provider){info, fake_embed, fake_free};
	*ret = &p->provider;
	return 0;
}
