/* Buckets and tries: see http_meter.h. */
#include "http/http_meter.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <sodium.h>

#include "base/banned.h"

#define WAYS	     8
#define DELAY_MS     100.0
#define HALF_LIFE_US 60e6
#define ROUNDING     1e-6 /* of sums of fractions */

struct place {
	uint64_t key; /* hash of who it is; 0: free */
	int64_t used_us;
	double left;	 /* of the bucket */
	int64_t left_us; /* when that was so; 0: never looked at */
	double fails;
	int64_t fails_us;
};

struct http_meter {
	unsigned char secret[crypto_shorthash_KEYBYTES];
	size_t n_sets;
	struct place *places;
};

struct http_meter *http_meter_new(size_t places)
{
	struct http_meter *m = MEM_NEW(struct http_meter);

	random_bytes(m->secret, sizeof(m->secret));
	m->n_sets = (places + WAYS - 1) / WAYS;
	m->places = mem_alloc_array(m->n_sets * WAYS, sizeof(*m->places));
	return m;
}

struct http_meter *http_meter_free(struct http_meter *m)
{
	if (!m)
		return NULL;
	mem_free(m->places);
	mem_free(m);
	return NULL;
}

static struct place *place_of(struct http_meter *m, struct str who, int64_t now_us)
{
	struct place *set, *oldest;
	uint64_t key;

	crypto_shorthash((unsigned char *)&key, (const unsigned char *)who.data, who.len,
			 m->secret);
	key += key == 0;
	oldest = set = &m->places[(key % m->n_sets) * WAYS];
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			set[i].used_us = now_us;
			return &set[i];
		}
		if (set[i].used_us < oldest->used_us)
			oldest = &set[i];
	}
	*oldest = (struct place){.key = key, .used_us = now_us};
	return oldest;
}

unsigned http_meter_take(struct http_meter *m, struct str key, const struct token_rate *rate,
			 int64_t now_us)
{
	struct place *p = place_of(m, key, now_us);
	double per_us = (double)rate->count / (rate->seconds * 1e6);

	p->left = p->left_us ? p->left + (double)(now_us - p->left_us) * per_us : rate->count;
	p->left = fmin(p->left, rate->count);
	p->left_us = now_us;
	if (p->left >= 1 - ROUNDING) {
		p->left -= 1;
		return 0;
	}
	return (unsigned)ceil((1 - p->left) / per_us / 1e6 - ROUNDING);
}

unsigned http_meter_fail(struct http_meter *m, struct str key, int64_t now_us)
{
	struct place *p = place_of(m, key, now_us);
	double delay;

	p->fails = p->fails * exp2((double)(p->fails_us - now_us) / HALF_LIFE_US) + 1;
	p->fails_us = now_us;
	delay = DELAY_MS * exp2(p->fails - 1);
	return (unsigned)fmin(delay, HTTP_DELAY_MAX_MS);
}
