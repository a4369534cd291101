/*
 * What a provider of embeddings is to the dispatcher (embed.c), and how each is opened.
 *
 * A provider is immutable after its open function, or protects itself: embed() is called from any
 * number of threads at once. It gets texts that are valid UTF-8 and no longer than EMBED_TEXT_MAX,
 * n > 0, and fills n * info.dimension floats; the dispatcher checks that they are finite and brings
 * each vector to unit length. The texts of `info` belong to the provider.
 */
#pragma once

#include "embed/embed.h"

struct embed_provider {
	struct embedder_info info;
	int (*embed)(struct embed_provider *self, enum embed_task task, const struct str *texts,
		     size_t n, float *ret, struct err *err);
	void (*free)(struct embed_provider *self);
};

/* As banned.h poisons the member's name: for the .c files, which initialise it by position. */
static inline void embed_provider_free(struct embed_provider *p)
{
	p->free(p);
}

/*
 * Open what embed.model and embed.dimension name, as the provider of that name, whatever
 * embed.provider says: the dispatcher hands over a configuration in which both fit. The
 * configuration lives at least as long as the provider.
 */
int embed_local_open(const struct config *config, struct embed_provider **ret, struct err *err)
    _must_check_;
int embed_gemini_open(const struct config *config, struct embed_provider **ret, struct err *err)
    _must_check_;
int embed_openai_open(const struct config *config, struct embed_provider **ret, struct err *err)
    _must_check_;
