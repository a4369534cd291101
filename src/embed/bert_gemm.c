/*
 * Matrix products: see bert_gemm.h.
 *
 * oneDNN generates code for a product's exact shape, a tenth of a millisecond each. Up to 64 rows
 * every number of rows has its own (nothing is padded, so that a query of six tokens costs six);
 * above, numbers are rounded up to the next multiple of 16. They are made when first asked for and
 * shared: a table by rows, filled under a lock and read without one. The weights' order in memory
 * was measured to be the same for every number of rows; a product that wanted another one is
 * refused at its creation, because it is created for the order that the weights have.
 *
 * matmul and inner_product were both measured (EPYC of the Zen 4 kind, VNNI): equally fast for
 * bytes, matmul faster for bfloat16 and f32 at few rows. u8 x s8 is up to 12 % faster than s8 x s8,
 * which adds 128 to its left side on the way.
 *
 * Threads. libdnnl is built on OpenMP. A call asks for one thread for itself and puts the caller's
 * number back, so that no team is ever started. The prototypes of OpenMP's two functions stand here
 * because clang has no omp.h for the libgomp that libdnnl brings along.
 *
 * A memory object costs an allocation in oneDNN; a context keeps its own per shape and sets the
 * pointers only.
 */
#include "embed/bert_gemm.h"

#include "base/mem.h"
#include "base/pages.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

int omp_get_max_threads(void);
void omp_set_num_threads(int n);

#define EXACT_ROWS	  64 /* up to here every number of rows has its own code */
#define ROWS_STEP	  GEMM_SPARE_ROWS
#define N_SLOTS		  (EXACT_ROWS + (GEMM_ROWS_MAX - EXACT_ROWS) / ROWS_STEP + 1)
#define SHAPES_MAX	  8		     /* different (n, k) of one model: four in BERT */
#define WEIGHTS_ALIGNMENT 64		     /* a cache line */
#define CHUNK_BYTES	  ((size_t)16 << 20) /* all of MiniLM's in int8 */

struct product { /* immutable */
	dnnl_primitive_t primitive;
	dnnl_memory_desc_t left, right, ret, scratch;
};

struct shape {
	size_t n, k;
	dnnl_memory_desc_t weights;
	_Atomic(struct product *) products[N_SLOTS];
};

/* Weights lie one behind the other in a few large pieces of memory. */
struct chunk {
	struct chunk *next;
	char *data;
	size_t size, used;
};

struct gemm_pool {
	enum gemm_type type;
	dnnl_engine_t engine;
	pthread_mutex_t lock; /* guards chunks, shapes beyond n_shapes, the making of products */
	struct chunk *chunks;
	struct shape shapes[SHAPES_MAX];
	size_t n_shapes;
};

struct gemm_weights {
	struct gemm_pool *pool;
	struct shape *shape;
	void *data; /* in a chunk of the pool */
	dnnl_memory_t memory;
};

/* A product as one context calls it. */
struct call {
	struct product *product;
	dnnl_memory_t left, ret, scratch;
};

struct gemm_context {
	struct gemm_pool *pool;
	dnnl_stream_t stream;
	struct call calls[SHAPES_MAX][N_SLOTS];
	void *scratch;
	size_t scratch_size;
};

static int dnnl_failed(dnnl_status_t status, const char *what, struct err *err)
{
	if (status == dnnl_unimplemented)
		return err_set(err, ERR_UNSUPPORTED,
			       "oneDNN cannot %s in this precision on this processor", what);
	return err_set(err, status == dnnl_out_of_memory ? ERR_NO_MEMORY : ERR_INTERNAL,
		       "oneDNN could not %s (status %d)", what, (int)status);
}

static int one_thread(void)
{
	int before = omp_get_max_threads();

	if (before != 1)
		omp_set_num_threads(1);
	return before;
}

static void threads_back(int before)
{
	if (before != 1)
		omp_set_num_threads(before);
}

bool gemm_is_native(enum gemm_type type)
{
	dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
	bool has_vnni = (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni;
	bool has_bf16 = (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;

	return type == GEMM_F32 || (type == GEMM_INT8 ? has_vnni : has_bf16);
}

/* --- products -------------------------------------------------------------------------------- */

static size_t rows_of(size_t m)
{
	return m <= EXACT_ROWS ? m : (m + ROWS_STEP - 1) / ROWS_STEP * ROWS_STEP;
}

static size_t slot_of(size_t rows)
{
	return rows <= EXACT_ROWS ? rows : EXACT_ROWS + (rows - EXACT_ROWS) / ROWS_STEP;
}

static dnnl_data_type_t left_type(enum gemm_type type)
{
	return type == GEMM_F32 ? dnnl_f32 : type == GEMM_BF16 ? dnnl_bf16 : dnnl_u8;
}

static dnnl_data_type_t right_type(enum gemm_type type)
{
	return type == GEMM_INT8 ? dnnl_s8 : left_type(type);
}

static dnnl_status_t describe(const struct gemm_pool *p, size_t rows, size_t n, size_t k,
			      struct product *ret)
{
	const dnnl_dims_t left = {(dnnl_dim_t)rows, (dnnl_dim_t)k};
	const dnnl_dims_t right = {(dnnl_dim_t)rows, (dnnl_dim_t)n};
	dnnl_status_t s =
	    dnnl_memory_desc_init_by_tag(&ret->left, 2, left, left_type(p->type), dnnl_ab);

	if (s == dnnl_success)
		s = dnnl_memory_desc_init_by_tag(
		    &ret->ret, 2, right, p->type == GEMM_INT8 ? dnnl_s32 : dnnl_f32, dnnl_ab);
	return s;
}

/* `right` is the weights' order, or "any" to be told the best. */
static dnnl_status_t make_primitive(const struct gemm_pool *p, const dnnl_memory_desc_t *right,
				    struct product *ret)
{
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t desc = NULL;
	dnnl_matmul_desc_t matmul;
	dnnl_status_t s = dnnl_matmul_desc_init(&matmul, &ret->left, right, NULL, &ret->ret);

	if (s == dnnl_success)
		s = dnnl_primitive_attr_create(&attr);
	if (s == dnnl_success)
		s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
	if (s == dnnl_success)
		s = dnnl_primitive_desc_create(&desc, &matmul, attr, p->engine, NULL);
	if (s == dnnl_success)
		s = dnnl_primitive_create(&ret->primitive, desc);
	if (s == dnnl_success) {
		ret->right = *dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
		ret->scratch = *dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
	}
	if (desc)
		(void)dnnl_primitive_desc_destroy(desc);
	if (attr)
		(void)dnnl_primitive_attr_destroy(attr);
	return s;
}

static struct product *product_free(struct product *q)
{
	if (q && q->primitive)
		(void)dnnl_primitive_destroy(q->primitive);
	mem_free(q);
	return NULL;
}

static int make_product(const struct gemm_pool *p, struct shape *shape, size_t rows,
			struct product **ret, struct err *err)
{
	struct product *q = MEM_NEW(struct product);
	dnnl_status_t s = describe(p, rows, shape->n, shape->k, q);

	if (s == dnnl_success)
		s = make_primitive(p, &shape->weights, q);
	if (s != dnnl_success) {
		(void)product_free(q);
		return dnnl_failed(s, "make a matrix product", err);
	}
	*ret = q;
	return 0;
}

static int get_product(struct gemm_pool *p, struct shape *shape, size_t rows, struct product **ret,
		       struct err *err)
{
	_Atomic(struct product *) *slot = &shape->products[slot_of(rows)];
	struct product *q = atomic_load_explicit(slot, memory_order_acquire);
	int r = 0;

	if (!q) {
		pthread_mutex_lock(&p->lock);
		q = atomic_load_explicit(slot, memory_order_relaxed);
		if (!q) {
			r = make_product(p, shape, rows, &q, err);
			if (r == 0)
				atomic_store_explicit(slot, q, memory_order_release);
		}
		pthread_mutex_unlock(&p->lock);
	}
	*ret = q;
	return r;
}

/* --- the pool -------------------------------------------------------------------------------- */

int gemm_pool_new(enum gemm_type type, struct gemm_pool **ret, struct err *err)
{
	struct gemm_pool *p = MEM_NEW(struct gemm_pool);
	dnnl_status_t s;

	p->type = type;
	(void)pthread_mutex_init(&p->lock, NULL);
	s = dnnl_engine_create(&p->engine, dnnl_cpu, 0);
	if (s != dnnl_success) {
		(void)gemm_pool_free(p);
		return dnnl_failed(s, "start its engine", err);
	}
	*ret = p;
	return 0;
}

struct gemm_pool *gemm_pool_free(struct gemm_pool *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n_shapes; i++)
		for (size_t k = 0; k < N_SLOTS; k++)
			(void)product_free(atomic_load(&p->shapes[i].products[k]));
	while (p->chunks) {
		struct chunk *c = p->chunks;

		p->chunks = c->next;
		pages_unmap(c->data, c->size);
		mem_free(c);
	}
	if (p->engine)
		(void)dnnl_engine_destroy(p->engine);
	(void)pthread_mutex_destroy(&p->lock);
	mem_free(p);
	return NULL;
}

/* --- weights --------------------------------------------------------------------------------- */

/* The order that oneDNN prefers, asked for at the number of rows where it matters most. */
static dnnl_status_t preferred_order(const struct gemm_pool *p, struct shape *shape)
{
	const dnnl_dims_t dims = {(dnnl_dim_t)shape->k, (dnnl_dim_t)shape->n};
	struct product q = {0};
	dnnl_memory_desc_t any;
	dnnl_status_t s = describe(p, EXACT_ROWS, shape->n, shape->k, &q);

	if (s == dnnl_success)
		s = dnnl_memory_desc_init_by_tag(&any, 2, dims, right_type(p->type),
						 dnnl_format_tag_any);
	if (s == dnnl_success)
		s = make_primitive(p, &any, &q);
	if (s != dnnl_success)
		return s;
	shape->weights = q.right;
	return dnnl_primitive_destroy(q.primitive);
}

static int find_shape(struct gemm_pool *p, size_t n, size_t k, struct shape **ret, struct err *err)
{
	struct shape *s;
	dnnl_status_t status;

	for (size_t i = 0; i < p->n_shapes; i++) {
		*ret = &p->shapes[i];
		if (p->shapes[i].n == n && p->shapes[i].k == k)
			return 0;
	}
	if (p->n_shapes == SHAPES_MAX)
		return err_set(err, ERR_LIMIT, "the model has weights of above %d shapes",
			       SHAPES_MAX);
	s = &p->shapes[p->n_shapes];
	s->n = n;
	s->k = k;
	status = preferred_order(p, s);
	if (status != dnnl_success)
		return dnnl_failed(status, "order weights", err);
	p->n_shapes++;
	*ret = s;
	return 0;
}

static dnnl_status_t execute_reorder(const struct gemm_pool *p, dnnl_memory_t from,
				     dnnl_memory_t to)
{
	const dnnl_memory_desc_t *from_desc, *to_desc;
	dnnl_primitive_desc_t desc = NULL;
	dnnl_primitive_t reorder = NULL;
	dnnl_stream_t stream = NULL;
	const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
	dnnl_status_t s = dnnl_memory_get_memory_desc(from, &from_desc);

	if (s == dnnl_success)
		s = dnnl_memory_get_memory_desc(to, &to_desc);
	if (s == dnnl_success)
		s = dnnl_reorder_primitive_desc_create(&desc, from_desc, p->engine, to_desc,
						       p->engine, NULL);
	if (s == dnnl_success)
		s = dnnl_primitive_create(&reorder, desc);
	if (s == dnnl_success)
		s = dnnl_stream_create(&stream, p->engine, dnnl_stream_default_flags);
	if (s == dnnl_success)
		s = dnnl_primitive_execute(reorder, stream, ARRAY_LEN(args), args);
	if (s == dnnl_success)
		s = dnnl_stream_wait(stream);
	if (stream)
		(void)dnnl_stream_destroy(stream);
	if (reorder)
		(void)dnnl_primitive_destroy(reorder);
	if (desc)
		(void)dnnl_primitive_desc_destroy(desc);
	return s;
}

/* n rows of k numbers are a k x n matrix by columns. */
static dnnl_status_t fill_weights(const struct gemm_weights *w, const void *rows)
{
	const dnnl_dims_t dims = {(dnnl_dim_t)w->shape->k, (dnnl_dim_t)w->shape->n};
	dnnl_memory_t plain = NULL;
	dnnl_memory_desc_t desc;
	dnnl_status_t s =
	    dnnl_memory_desc_init_by_tag(&desc, 2, dims, right_type(w->pool->type), dnnl_ba);
	void *from;

	memcpy(&from, &rows, sizeof(from)); /* it is only read */
	if (s == dnnl_success)
		s = dnnl_memory_create(&plain, &desc, w->pool->engine, from);
	if (s == dnnl_success)
		s = execute_reorder(w->pool, plain, w->memory);
	if (plain)
		(void)dnnl_memory_destroy(plain);
	return s;
}

static int take_memory(struct gemm_pool *p, size_t size, void **ret, struct err *err)
{
	struct chunk *c = p->chunks;
	void *data = NULL;

	size = (size + WEIGHTS_ALIGNMENT - 1) / WEIGHTS_ALIGNMENT * WEIGHTS_ALIGNMENT;
	if (!c || c->size - c->used < size) {
		size_t want = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		int r = pages_map(want, true, &data, err);

		if (r < 0)
			return r;
		c = MEM_NEW(struct chunk);
		*c = (struct chunk){.next = p->chunks, .data = data, .size = want};
		p->chunks = c;
	}
	*ret = c->data + c->used;
	c->used += size;
	return 0;
}

static int make_weights(struct gemm_weights *w, const void *rows, struct err *err)
{
	size_t size = dnnl_memory_desc_get_size(&w->shape->weights);
	dnnl_status_t s;
	int r;

	pthread_mutex_lock(&w->pool->lock);
	r = take_memory(w->pool, size, &w->data, err);
	pthread_mutex_unlock(&w->pool->lock);
	if (r < 0)
		return r;
	s = dnnl_memory_create(&w->memory, &w->shape->weights, w->pool->engine, w->data);
	if (s == dnnl_success)
		s = fill_weights(w, rows);
	return s == dnnl_success ? 0 : dnnl_failed(s, "copy weights", err);
}

int gemm_weights_new(struct gemm_pool *p, const void *rows, size_t n, size_t k,
		     struct gemm_weights **ret, struct err *err)
{
	struct gemm_weights *w = MEM_NEW(struct gemm_weights);
	int before = one_thread(), r;

	w->pool = p;
	pthread_mutex_lock(&p->lock);
	r = find_shape(p, n, k, &w->shape, err);
	pthread_mutex_unlock(&p->lock);
	if (r == 0)
		r = make_weights(w, rows, err);
	threads_back(before);
	if (r < 0)
		(void)gemm_weights_free(w);
	else
		*ret = w;
	return r;
}

struct gemm_weights *gemm_weights_free(struct gemm_weights *w)
{
	if (!w)
		return NULL;
	if (w->memory)
		(void)dnnl_memory_destroy(w->memory);
	mem_free(w);
	return NULL;
}

/* --- running --------------------------------------------------------------------------------- */

int gemm_context_new(struct gemm_pool *p, struct gemm_context **ret, struct err *err)
{
	struct gemm_context *c = MEM_NEW(struct gemm_context);
	dnnl_status_t s = dnnl_stream_create(&c->stream, p->engine, dnnl_stream_default_flags);

	c->pool = p;
	if (s != dnnl_success) {
		mem_free(c);
		return dnnl_failed(s, "make a stream", err);
	}
	*ret = c;
	return 0;
}

static void call_done(struct call *c)
{
	if (c->left)
		(void)dnnl_memory_destroy(c->left);
	if (c->ret)
		(void)dnnl_memory_destroy(c->ret);
	if (c->scratch)
		(void)dnnl_memory_destroy(c->scratch);
	*c = (struct call){0};
}

struct gemm_context *gemm_context_free(struct gemm_context *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < SHAPES_MAX; i++)
		for (size_t k = 0; k < N_SLOTS; k++)
			call_done(&c->calls[i][k]);
	if (c->stream)
		(void)dnnl_stream_destroy(c->stream);
	mem_free(c->scratch);
	mem_free(c);
	return NULL;
}

/* Room for a product's intermediate values; what was handed out before stays valid for later
 * calls, since each sets its pointer anew. */
static int grow_scratch(struct gemm_context *c, size_t size, struct err *err)
{
	void *p = NULL;

	if (size <= c->scratch_size)
		return 0;
	if (posix_memalign(&p, WEIGHTS_ALIGNMENT, size) != 0)
		return err_set(err, ERR_NO_MEMORY, "could not allocate %zu bytes", size);
	mem_free(c->scratch);
	c->scratch = p;
	c->scratch_size = size;
	return 0;
}

static int make_call(struct gemm_context *c, struct shape *shape, size_t rows, struct call *call,
		     struct err *err)
{
	struct gemm_pool *p = c->pool;
	struct product *q = NULL;
	dnnl_status_t s;
	int r = get_product(p, shape, rows, &q, err);

	if (r == 0)
		r = grow_scratch(c, dnnl_memory_desc_get_size(&q->scratch), err);
	if (r < 0)
		return r;
	s = dnnl_memory_create(&call->left, &q->left, p->engine, DNNL_MEMORY_NONE);
	if (s == dnnl_success)
		s = dnnl_memory_create(&call->ret, &q->ret, p->engine, DNNL_MEMORY_NONE);
	if (s == dnnl_success)
		s = dnnl_memory_create(&call->scratch, &q->scratch, p->engine, DNNL_MEMORY_NONE);
	if (s != dnnl_success) {
		call_done(call);
		return dnnl_failed(s, "describe a matrix", err);
	}
	call->product = q;
	return 0;
}

static dnnl_status_t execute(const struct gemm_context *c, const struct call *call,
			     const struct gemm_weights *w, void *left, void *ret)
{
	const dnnl_exec_arg_t args[] = {
	    {DNNL_ARG_SRC, call->left},
	    {DNNL_ARG_WEIGHTS, w->memory},
	    {DNNL_ARG_DST, call->ret},
	    {DNNL_ARG_SCRATCHPAD, call->scratch},
	};
	dnnl_status_t s = dnnl_memory_set_data_handle(call->left, left);

	if (s == dnnl_success)
		s = dnnl_memory_set_data_handle(call->ret, ret);
	if (s == dnnl_success)
		s = dnnl_memory_set_data_handle(call->scratch, c->scratch);
	if (s == dnnl_success)
		s = dnnl_primitive_execute(call->product->primitive, c->stream, ARRAY_LEN(args),
					   args);
	return s;
}

int gemm_run(struct gemm_context *c, const struct gemm_weights *w, const void *left, size_t m,
	     void *ret, struct err *err)
{
	size_t rows = rows_of(m);
	struct call *call = &c->calls[w->shape - c->pool->shapes][slot_of(rows)];
	int before = one_thread(), r = 0;
	dnnl_status_t s;
	void *from;

	bug_if(m == 0 || m > GEMM_ROWS_MAX);
	memcpy(&from, &left, sizeof(from)); /* it is only read */
	if (!call->product)
		r = make_call(c, w->shape, rows, call, err);
	if (r == 0) {
		s = execute(c, call, w, from, ret);
		if (s != dnnl_success)
			r = dnnl_failed(s, "multiply", err);
	}
	threads_back(before);
	return r;
}
