/* Threads for answers that take a while: see http_work.h. One mutex guards the queue. */
#include "http/http_work.h"

#include "base/mem.h"

#include <pthread.h>

#include "base/banned.h"

struct http_work {
	struct http_work_call call;
	struct strbuf answer;
	struct err err;
	int r;
	struct http_work *next;
};

struct http_pool {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t threads[HTTP_WORK_THREADS];
	struct http_work *first, **last;
	unsigned n_waiting;
	bool is_stopping;
};

/* Mutex held. */
static struct http_work *take(struct http_pool *p)
{
	struct http_work *w = p->first;

	p->first = w->next;
	if (!p->first)
		p->last = &p->first;
	p->n_waiting--;
	return w;
}

static void answer(struct http_work *w, bool is_stopping)
{
	const struct http_work_call call = w->call;

	if (is_stopping)
		w->r = err_set(&w->err, ERR_INTERRUPTED, "the server stops");
	else
		w->r = call.run(call.arg, call.question, &w->answer, &w->err);
	if (w->r == 0)
		w->r = strbuf_check(&w->answer, "the answer", &w->err);
	call.wake(call.wake_arg);
}

static void *work(void *arg)
{
	struct http_pool *p = arg;

	pthread_mutex_lock(&p->mutex);
	while (!p->is_stopping || p->first) {
		struct http_work *w;
		bool is_stopping;

		if (!p->first) {
			pthread_cond_wait(&p->changed, &p->mutex);
			continue;
		}
		w = take(p);
		is_stopping = p->is_stopping;
		pthread_mutex_unlock(&p->mutex);
		answer(w, is_stopping);
		pthread_mutex_lock(&p->mutex);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

struct http_pool *http_pool_new(void)
{
	struct http_pool *p = MEM_NEW(struct http_pool);

	p->last = &p->first;
	bug_if(pthread_mutex_init(&p->mutex, NULL) != 0);
	bug_if(pthread_cond_init(&p->changed, NULL) != 0);
	for (size_t i = 0; i < HTTP_WORK_THREADS; i++)
		bug_if(pthread_create(&p->threads[i], NULL, work, p) != 0);
	return p;
}

void http_pool_stop(struct http_pool *p)
{
	pthread_mutex_lock(&p->mutex);
	p->is_stopping = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
	for (size_t i = 0; i < HTTP_WORK_THREADS; i++)
		pthread_join(p->threads[i], NULL);
}

struct http_pool *http_pool_free(struct http_pool *p)
{
	if (!p)
		return NULL;
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->mutex);
	mem_free(p);
	return NULL;
}

struct http_work *http_work_new(struct http_pool *p, const struct http_work_call *call)
{
	struct http_work *w = NULL;

	pthread_mutex_lock(&p->mutex);
	if (p->n_waiting < HTTP_WORK_WAITING) {
		p->n_waiting++;
		w = MEM_NEW(struct http_work);
	}
	pthread_mutex_unlock(&p->mutex);
	if (w) {
		w->call = *call;
		w->answer = (struct strbuf)STRBUF_INIT(call->answer_max);
	}
	return w;
}

void http_work_start(struct http_pool *p, struct http_work *w)
{
	bool is_stopping;

	pthread_mutex_lock(&p->mutex);
	is_stopping = p->is_stopping;
	if (!is_stopping) {
		*p->last = w;
		p->last = &w->next;
		pthread_cond_signal(&p->changed);
	}
	pthread_mutex_unlock(&p->mutex);
	if (is_stopping) /* nobody else would */
		answer(w, true);
}

int http_work_result(struct http_work *w, struct strbuf **ret, const struct err **ret_err)
{
	*ret = &w->answer;
	*ret_err = &w->err;
	return w->r;
}

struct http_work *http_work_free(struct http_work *w)
{
	if (!w)
		return NULL;
	strbuf_done(&w->answer);
	mem_free(w);
	return NULL;
}
