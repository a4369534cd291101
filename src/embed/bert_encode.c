/*
 * The forward pass: see bert.h.
 *
 * Texts are packed: their tokens are the rows of one matrix, as many whole texts as fit. All but
 * attention treats rows alike, so a pass needs no padding and no mask; attention goes text by text,
 * head by head. Products are taken over blocks of rows, and the part of a layer behind attention
 * runs block by block, so that what it makes stays in the second-level cache.
 *
 * A row is finished as soon as its product is there: bias, scale, GELU or layer norm, and its
 * conversion into the next product's type, one after the other while the row is in the first-level
 * cache.
 */
#include "embed/bert_int.h"

#include "base/mem.h"
#include "base/pages.h"

#include "base/banned.h"

#define ALIGNMENT 64 /* numbers: whole cache lines, whatever they are used for */

struct bert_context { /* one thread's */
	const struct bert_model *model;
	struct gemm_context *gemm;
	size_t size;
	float *memory;	       /* holds all of the following */
	float *x;	       /* the tokens: a row a token */
	float *project;	       /* query, key, value: a row a token */
	float *heads;	       /* what attention found: a row a token */
	float *wide;	       /* block_rows * inner */
	float *narrow;	       /* block_rows * hidden */
	void *left;	       /* rows converted for a product: block_rows * inner */
	float *scratch;	       /* of attention */
	struct bert_row *rows; /* how each of `left` was converted */
	uint32_t *ids;	       /* tokens of the pack */
	size_t *starts; /* where each text of the pack begins; one more than there are texts */
	size_t n_texts;
};

/* --- contexts -------------------------------------------------------------------------------- */

/* Room for n numbers; what comes after it begins at a cache line too. */
static float *carve(float **at, size_t n)
{
	float *p = *at;

	*at += (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return p;
}

/* A pack has pack_rows, or is one text. */
static size_t pack_limit(const struct bert_model *m)
{
	return m->pack_rows > BERT_TOKENS_MAX ? m->pack_rows : BERT_TOKENS_MAX;
}

static void lay_out(struct bert_context *c, float *at, size_t *ret_floats)
{
	const struct bert_model *m = c->model;
	size_t pack = pack_limit(m) + GEMM_SPARE_ROWS, block = m->block_rows + GEMM_SPARE_ROWS;
	float *begin = at;

	c->x = carve(&at, pack * m->hidden);
	c->project = carve(&at, pack * 3 * m->hidden);
	c->heads = carve(&at, pack * m->hidden);
	c->wide = carve(&at, block * m->inner);
	c->narrow = carve(&at, block * m->hidden);
	c->left = carve(&at, block * (m->inner > m->hidden ? m->inner : m->hidden) / 2);
	c->scratch = carve(&at, bert_head_scratch(BERT_TOKENS_MAX, m->head_dim));
	*ret_floats = (size_t)(at - begin);
}

int bert_context_new(struct bert_model *m, struct bert_context **ret, struct err *err)
{
	_cleanup_(bert_context_freep) struct bert_context *c = MEM_NEW(struct bert_context);
	static float anchor[1];
	void *memory = NULL;
	size_t n;
	int r;

	c->model = m;
	lay_out(c, anchor, &n);
	r = pages_map(n * sizeof(float), true, &memory, err); /* zeroed: spare rows are numbers */
	if (r < 0)
		return r;
	c->memory = memory;
	c->size = n * sizeof(float);
	lay_out(c, c->memory, &n);
	c->rows = mem_alloc_array(m->block_rows, sizeof(*c->rows));
	c->ids = mem_alloc_array(pack_limit(m), sizeof(*c->ids));
	c->starts = mem_alloc_array(pack_limit(m) + 1, sizeof(*c->starts));
	r = gemm_context_new(m->pool, &c->gemm, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct bert_context *bert_context_free(struct bert_context *c)
{
	if (!c)
		return NULL;
	(void)gemm_context_free(c->gemm);
	mem_free(c->starts);
	mem_free(c->ids);
	mem_free(c->rows);
	pages_unmap(c->memory, c->size);
	mem_free(c);
	return NULL;
}

/* --- products -------------------------------------------------------------------------------- */

/* Row i of the next product's left side, whose numbers lie in `range`. */
static inline void put_left_range(struct bert_context *c, size_t i, const float *x, size_t k,
				  struct bert_range range)
{
	const struct bert_model *m = c->model;

	if (m->type == GEMM_INT8)
		c->rows[i] =
		    m->kernels->quantize(x, k, range, m->byte_max, (uint8_t *)c->left + i * k);
	else if (m->type == GEMM_BF16)
		m->kernels->to_bf16(x, k, (uint16_t *)c->left + i * k);
}

static inline void put_left(struct bert_context *c, size_t i, const float *x, size_t k)
{
	struct bert_range range = {0};

	if (c->model->type == GEMM_INT8)
		range = c->model->kernels->range(x, k);
	put_left_range(c, i, x, k, range);
}

/* The left side is what put_left() converted, or `x` itself. */
static int multiply(struct bert_context *c, const struct bert_linear *l, const float *x,
		    size_t rows, float *ret, struct err *err)
{
	return gemm_run(c->gemm, l->weights, c->model->type == GEMM_F32 ? (const void *)x : c->left,
			rows, ret, err);
}

/* --- a layer --------------------------------------------------------------------------------- */

/* Blocks of about the same size, so that the last one is not a sliver. */
static size_t block_size(const struct bert_model *m, size_t rows)
{
	size_t n = (rows + m->block_rows - 1) / m->block_rows;

	return (rows + n - 1) / n;
}

static int project_block(struct bert_context *c, const struct bert_layer *l, size_t first,
			 size_t rows, struct err *err)
{
	const struct bert_model *m = c->model;
	const float *x = c->x + first * m->hidden;
	float *ret = c->project + first * 3 * m->hidden;
	int r;

	for (size_t i = 0; i < rows; i++)
		put_left(c, i, x + i * m->hidden, m->hidden);
	r = multiply(c, &l->project, x, rows, ret, err);
	for (size_t i = 0; i < rows && r == 0; i++)
		m->kernels->finish(ret + i * l->project.n, l->project.n, c->rows[i],
				   &l->project.columns);
	return r;
}

static void attend_text(struct bert_context *c, size_t first, size_t rows)
{
	const struct bert_model *m = c->model;
	const float *project = c->project + first * 3 * m->hidden;
	struct bert_head head = {
	    .stride = 3 * m->hidden,
	    .n = rows,
	    .dim = m->head_dim,
	    .ret_stride = m->hidden,
	    .scratch = c->scratch,
	};

	for (size_t i = 0; i < m->heads; i++) {
		head.query = project + i * m->head_dim;
		head.key = head.query + m->hidden;
		head.value = head.key + m->hidden;
		head.ret = c->heads + first * m->hidden + i * m->head_dim;
		m->kernels->attend(&head);
	}
}

/* The heads' outcome through its linear layer, added to the tokens. */
static int mix_block(struct bert_context *c, const struct bert_layer *l, size_t first, size_t rows,
		     struct err *err)
{
	const struct bert_model *m = c->model;
	const float *heads = c->heads + first * m->hidden;
	float *x = c->x + first * m->hidden;
	int r;

	for (size_t i = 0; i < rows; i++)
		put_left(c, i, heads + i * m->hidden, m->hidden);
	r = multiply(c, &l->mix, heads, rows, c->narrow, err);
	for (size_t i = 0; i < rows && r == 0; i++) {
		float *row = x + i * m->hidden;
		struct bert_range range =
		    m->kernels->finish_norm(c->narrow + i * m->hidden, m->hidden, c->rows[i],
					    &l->mix.columns, &l->mix_norm, row);

		put_left_range(c, i, row, m->hidden, range);
	}
	return r;
}

/* The two layers of the network; the tokens are converted for the first one already. */
static int feed_block(struct bert_context *c, const struct bert_layer *l, size_t first, size_t rows,
		      struct err *err)
{
	const struct bert_model *m = c->model;
	float *x = c->x + first * m->hidden;
	int r = multiply(c, &l->up, x, rows, c->wide, err);

	for (size_t i = 0; i < rows && r == 0; i++) {
		float *row = c->wide + i * m->inner;

		struct bert_range range =
		    m->kernels->finish_gelu(row, m->inner, c->rows[i], &l->up.columns);

		put_left_range(c, i, row, m->inner, range);
	}
	if (r == 0)
		r = multiply(c, &l->down, c->wide, rows, c->narrow, err);
	for (size_t i = 0; i < rows && r == 0; i++)
		(void)m->kernels->finish_norm(c->narrow + i * m->hidden, m->hidden, c->rows[i],
					      &l->down.columns, &l->down_norm, x + i * m->hidden);
	return r;
}

static int run_layer(struct bert_context *c, const struct bert_layer *l, size_t rows,
		     struct err *err)
{
	size_t block = block_size(c->model, rows);
	int r = 0;

	for (size_t i = 0; i < rows && r == 0; i += block)
		r = project_block(c, l, i, rows - i < block ? rows - i : block, err);
	for (size_t i = 0; i < c->n_texts && r == 0; i++)
		attend_text(c, c->starts[i], c->starts[i + 1] - c->starts[i]);
	for (size_t i = 0; i < rows && r == 0; i += block) {
		size_t n = rows - i < block ? rows - i : block;

		r = mix_block(c, l, i, n, err);
		if (r == 0)
			r = feed_block(c, l, i, n, err);
	}
	return r;
}

/* --- packs ----------------------------------------------------------------------------------- */

static void embed_tokens(struct bert_context *c, size_t first, size_t rows)
{
	const struct bert_model *m = c->model;
	size_t n = m->hidden;

	for (size_t i = 0; i < rows; i++) {
		const struct bert_columns position = {.bias = m->positions + i * n};
		float *x = c->x + (first + i) * n;

		memset(x, 0, n * sizeof(float));
		(void)m->kernels->finish_norm(m->words + c->ids[first + i] * n, n,
					      (struct bert_row){0}, &position, &m->word_norm, x);
	}
}

static int run_pack(struct bert_context *c, float *ret, struct err *err)
{
	const struct bert_model *m = c->model;
	size_t rows = c->starts[c->n_texts];
	int r = 0;

	for (size_t i = 0; i < c->n_texts; i++)
		embed_tokens(c, c->starts[i], c->starts[i + 1] - c->starts[i]);
	for (size_t i = 0; i < m->n_layers && r == 0; i++)
		r = run_layer(c, &m->layers[i], rows, err);
	for (size_t i = 0; i < c->n_texts && r == 0; i++)
		m->kernels->pool(c->x + c->starts[i] * m->hidden, c->starts[i + 1] - c->starts[i],
				 m->hidden, ret + i * m->hidden);
	return r;
}

int bert_encode(struct bert_context *c, const struct str *texts, size_t n, float *ret,
		struct err *err)
{
	const struct bert_model *m = c->model;
	uint32_t ids[BERT_TOKENS_MAX];

	c->n_texts = 0;
	c->starts[0] = 0;
	for (size_t i = 0; i < n; i++) {
		size_t rows = c->starts[c->n_texts];
		size_t len = wordpiece_encode(m->wordpiece, texts[i], ids, BERT_TOKENS_MAX);

		if (rows + len > m->pack_rows && rows) {
			int r = run_pack(c, ret, err);

			if (r < 0)
				return r;
			ret += c->n_texts * m->hidden;
			c->n_texts = rows = 0;
		}
		memcpy(c->ids + rows, ids, len * sizeof(*ids));
		c->starts[++c->n_texts] = rows + len;
	}
	return n ? run_pack(c, ret, err) : 0;
}
