/*
 * Opening a model: see bert.h.
 *
 * config.json says the sizes; every tensor of the file must have the shape that follows from them,
 * and vocab.txt as many lines as there are word vectors. Word vectors are used where they lie in
 * the mapped file, so that only the pages of words that occur are ever read. The vectors of
 * positions and of the one token type are added up once.
 *
 * The precision is chosen from what oneDNN says that it can do on this CPU. int8 without VNNI
 * works, with seven bits for activations: oneDNN's kernels for such CPUs add pairs of products in
 * 16 bits, and 127 * 127 * 2 still fits there.
 */
#include "embed/bert_int.h"

#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>

#include "base/banned.h"

#define CONFIG_BYTES_MAX   65536
#define LAYERS_MAX	   48
#define INNER_MAX	   8192
#define SIZE_STEP	   64 /* oneDNN's blocks and whole vectors come out even */
#define HEAD_STEP	   32
#define BYTE_MAX_VNNI	   255
#define BYTE_MAX_SATURATED 127

/* Measured on a Zen 4 core: with bytes a pass of few rows stays in the second-level cache; floats
 * are bound by the weights' traffic, which more rows share. */
#define PACK_ROWS_BYTES	  256
#define BLOCK_ROWS_BYTES  64
#define PACK_ROWS_FLOATS  512
#define BLOCK_ROWS_FLOATS 256

/* --- config.json ----------------------------------------------------------------------------- */

struct sizes {
	size_t hidden, inner, heads, layers, vocabulary, positions, types;
};

static int read_number(const json_t *json, const char *path, const char *name, size_t max,
		       size_t *ret, struct err *err)
{
	const json_t *value = json_object_get(json, name);

	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    json_integer_value(value) > (json_int_t)max)
		return err_set(err, ERR_CORRUPTED,
			       "\"%s\": \"%s\" is not a whole number from 1 to %zu", path, name,
			       max);
	*ret = (size_t)json_integer_value(value);
	return 0;
}

static int read_numbers(const json_t *json, const char *path, struct sizes *s, double *epsilon,
			struct err *err)
{
	const struct {
		const char *name;
		size_t max;
		size_t *ret;
	} numbers[] = {
	    {"hidden_size", BERT_HIDDEN_MAX, &s->hidden},
	    {"intermediate_size", INNER_MAX, &s->inner},
	    {"num_attention_heads", BERT_HIDDEN_MAX / HEAD_STEP, &s->heads},
	    {"num_hidden_layers", LAYERS_MAX, &s->layers},
	    {"vocab_size", WORDPIECE_TOKENS_MAX, &s->vocabulary},
	    {"max_position_embeddings", 65536, &s->positions},
	    {"type_vocab_size", 64, &s->types},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int r =
		    read_number(json, path, numbers[i].name, numbers[i].max, numbers[i].ret, err);

		if (r < 0)
			return r;
	}
	*epsilon = json_number_value(json_object_get(json, "layer_norm_eps"));
	if (!(*epsilon > 0 && *epsilon < 1))
		return err_set(err, ERR_CORRUPTED,
			       "\"%s\": \"layer_norm_eps\" is not a number between 0 and 1", path);
	return 0;
}

static int check_text(const json_t *json, const char *path, const char *name, const char *wanted,
		      struct err *err)
{
	const char *value = json_string_value(json_object_get(json, name));

	if (!value || !cstr_equal(value, wanted))
		return err_set(err, ERR_UNSUPPORTED,
			       "\"%s\": \"%s\" is \"%.60s\", and only \"%s\" is known", path, name,
			       value ? value : "", wanted);
	return 0;
}

static int check_sizes(const struct sizes *s, const char *path, struct err *err)
{
	if (s->hidden % SIZE_STEP || s->inner % SIZE_STEP)
		return err_set(err, ERR_UNSUPPORTED,
			       "\"%s\": the hidden sizes are no multiples of %d", path, SIZE_STEP);
	if (s->heads == 0 || s->hidden % s->heads || s->hidden / s->heads % HEAD_STEP)
		return err_set(err, ERR_UNSUPPORTED,
			       "\"%s\": the size of a head is no multiple of %d", path, HEAD_STEP);
	if (s->positions < BERT_TOKENS_MAX)
		return err_set(err, ERR_UNSUPPORTED, "\"%s\": there are less than %d positions",
			       path, BERT_TOKENS_MAX);
	return 0;
}

static int parse_config(const char *path, struct sizes *s, double *epsilon, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(CONFIG_BYTES_MAX);
	_cleanup_(json_decrefp) json_t *json = NULL;
	json_error_t error;
	int r = file_read(path, &b, err);

	if (r < 0)
		return r;
	json = json_loadb(strbuf_str(&b), b.len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(json))
		return err_set(err, ERR_CORRUPTED, "\"%s\" is no JSON object: %s", path,
			       json ? "it is something else" : error.text);
	r = check_text(json, path, "model_type", "bert", err);
	if (r == 0)
		r = check_text(json, path, "hidden_act", "gelu", err);
	if (r == 0)
		r = read_numbers(json, path, s, epsilon, err);
	return r < 0 ? r : check_sizes(s, path, err);
}

/* --- the model ------------------------------------------------------------------------------- */

static enum gemm_type choose_type(enum bert_precision wanted)
{
	if (wanted == BERT_AUTO)
		return gemm_is_native(GEMM_INT8) ? GEMM_INT8 : GEMM_F32;
	return wanted == BERT_INT8 ? GEMM_INT8 : wanted == BERT_BF16 ? GEMM_BF16 : GEMM_F32;
}

static void set_precision(struct bert_model *m, enum bert_precision wanted)
{
	static const struct {
		enum bert_precision precision;
		const char *name;
	} of[] = {[GEMM_F32] = {BERT_F32, "f32"},
		  [GEMM_BF16] = {BERT_BF16, "bf16"},
		  [GEMM_INT8] = {BERT_INT8, "int8"}};

	m->type = choose_type(wanted);
	m->info.precision = of[m->type].precision;
	m->info.precision_name = of[m->type].name;
	m->byte_max = gemm_is_native(GEMM_INT8) ? BYTE_MAX_VNNI : BYTE_MAX_SATURATED;
	m->pack_rows = m->type == GEMM_INT8 ? PACK_ROWS_BYTES : PACK_ROWS_FLOATS;
	m->block_rows = m->type == GEMM_INT8 ? BLOCK_ROWS_BYTES : BLOCK_ROWS_FLOATS;
	m->kernels = bert_kernels_get();
	m->info.kernels = m->kernels->name;
}

static void set_sizes(struct bert_model *m, const struct sizes *s)
{
	bug_if(s->heads == 0); /* check_sizes() saw to it */
	m->hidden = s->hidden;
	m->inner = s->inner;
	m->heads = s->heads;
	m->head_dim = s->hidden / s->heads;
	m->n_layers = s->layers;
	m->info.dimension = (unsigned)s->hidden;
	m->info.layers = (unsigned)s->layers;
	m->info.heads = (unsigned)s->heads;
	m->info.inner = (unsigned)s->inner;
	m->info.vocabulary = s->vocabulary;
	m->info.tokens_max = BERT_TOKENS_MAX;
}

static int load_embeddings(struct bert_model *m, const struct sizes *s, struct err *err)
{
	const struct safetensors *f = m->file;
	const float *positions = NULL, *types = NULL;
	size_t n = BERT_TOKENS_MAX * m->hidden;
	int r = safetensors_floats(f, "embeddings.word_embeddings.weight", s->vocabulary, m->hidden,
				   &m->words, err);

	if (r == 0)
		r = safetensors_floats(f, "embeddings.position_embeddings.weight", s->positions,
				       m->hidden, &positions, err);
	if (r == 0)
		r = safetensors_floats(f, "embeddings.token_type_embeddings.weight", s->types,
				       m->hidden, &types, err);
	if (r == 0)
		r = safetensors_floats(f, "embeddings.LayerNorm.weight", 0, m->hidden,
				       &m->word_norm.gamma, err);
	if (r == 0)
		r = safetensors_floats(f, "embeddings.LayerNorm.bias", 0, m->hidden,
				       &m->word_norm.beta, err);
	if (r < 0)
		return r;
	bug_if(!positions || !types); /* for the analyzer */
	m->word_norm.epsilon = m->epsilon;
	m->positions = mem_alloc_array(n, sizeof(float));
	for (size_t i = 0; i < n; i++)
		m->positions[i] = positions[i] + types[i % m->hidden];
	return 0;
}

static int load_vocabulary(struct bert_model *m, const char *path, const struct sizes *s,
			   struct err *err)
{
	int r = wordpiece_open(path, &m->wordpiece, err);

	if (r == 0 && wordpiece_size(m->wordpiece) != s->vocabulary)
		r = err_set(err, ERR_CORRUPTED, "\"%s\" has %zu tokens and the model %zu", path,
			    wordpiece_size(m->wordpiece), s->vocabulary);
	return r;
}

static int open_files(struct bert_model *m, const char *dir, struct err *err)
{
	_cleanup_(mem_freep) char *config = mem_printf("%s/config.json", dir);
	_cleanup_(mem_freep) char *tensors = mem_printf("%s/model.safetensors", dir);
	_cleanup_(mem_freep) char *vocabulary = mem_printf("%s/vocab.txt", dir);
	struct sizes s = {0};
	double epsilon = 0;
	int r = parse_config(config, &s, &epsilon, err);

	if (r < 0)
		return r;
	set_sizes(m, &s);
	m->epsilon = (float)epsilon;
	r = load_vocabulary(m, vocabulary, &s, err);
	if (r == 0)
		r = safetensors_open(tensors, &m->file, err);
	if (r == 0)
		r = load_embeddings(m, &s, err);
	return r;
}

int bert_model_open(const char *dir, const struct bert_options *options, struct bert_model **ret,
		    struct err *err)
{
	_cleanup_(bert_model_freep) struct bert_model *m = MEM_NEW(struct bert_model);
	int r = open_files(m, dir, err);

	if (r < 0)
		return r;
	set_precision(m, options ? options->precision : BERT_AUTO);
	m->layers = mem_alloc_array(m->n_layers, sizeof(*m->layers));
	r = gemm_pool_new(m->type, &m->pool, err);
	if (r == 0)
		r = bert_load_layers(m, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(m);
	return 0;
}

struct bert_model *bert_model_free(struct bert_model *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; m->layers && i < m->n_layers; i++)
		bert_layer_done(&m->layers[i]);
	mem_free(m->layers);
	(void)gemm_pool_free(m->pool);
	mem_free(m->positions);
	(void)safetensors_free(m->file);
	(void)wordpiece_free(m->wordpiece);
	mem_free(m);
	return NULL;
}

const struct bert_info *bert_model_info(const struct bert_model *m)
{
	return &m->info;
}

size_t bert_count_tokens(const struct bert_model *m, struct str text)
{
	uint32_t ids[BERT_TOKENS_MAX];

	return wordpiece_encode(m->wordpiece, text, ids, BERT_TOKENS_MAX);
}
