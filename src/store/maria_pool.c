/* Idle connections: see maria_pool.h. */
#include "store/maria_pool.h"

#include "base/mem.h"

#include <pthread.h>

#include "base/banned.h"

struct maria_pool {
	struct maria_options options; /* borrowed texts */
	pthread_mutex_t mutex;	      /* guards what follows */
	struct maria *idle[MARIA_POOL_IDLE];
	size_t n;
};

struct maria_pool *maria_pool_new(const struct maria_options *options)
{
	struct maria_pool *p = MEM_NEW(struct maria_pool);

	p->options = *options;
	(void)pthread_mutex_init(&p->mutex, NULL);
	return p;
}

struct maria_pool *maria_pool_free(struct maria_pool *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		maria_close(p->idle[i]);
	(void)pthread_mutex_destroy(&p->mutex);
	mem_free(p);
	return NULL;
}

int maria_pool_take(struct maria_pool *p, struct maria **ret, struct err *err)
{
	pthread_mutex_lock(&p->mutex);
	*ret = p->n ? p->idle[--p->n] : NULL;
	pthread_mutex_unlock(&p->mutex);
	return *ret ? 0 : maria_open(&p->options, ret, err);
}

void maria_pool_give(struct maria_pool *p, struct maria *m)
{
	if (m && !maria_is_lost(m)) {
		pthread_mutex_lock(&p->mutex);
		if (p->n < MARIA_POOL_IDLE)
			p->idle[p->n++] = TAKE_PTR(m);
		pthread_mutex_unlock(&p->mutex);
	}
	maria_close(m);
}
