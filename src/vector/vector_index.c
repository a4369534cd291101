/*
 * The index as its users see it: opening and closing, putting and deleting, readers, figures.
 *
 * The order of a write: what can fail comes first (memory, the vectors file, the log), into a slot
 * that nothing leads to yet; then the slot is linked, gets its id, and the map leads to it. So a
 * write that fails has changed nothing, and a search sees a vector with all that belongs to it.
 */
#include "vector/vector_file.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <math.h>

#include "base/banned.h"

#define M_DEFAULT		16U
#define EF_CONSTRUCTION_DEFAULT 160U
#define ALPHA_DEFAULT		1.2F
#define LOG_MAX_DEFAULT		((uint64_t)32 << 20)

/* The dead are repaired around when they are this many, and this share of the living: until then
 * a walk passes one dead slot for each sixteen live ones. */
#define REPAIR_MIN   64U
#define REPAIR_SHARE 16U

/* --- opening --------------------------------------------------------------------------------- */

static int check_options(const struct vector_options *o, struct err *err)
{
	if (o->kind > VECTOR_EXACT || o->metric > VECTOR_L2 || o->precision > VECTOR_F16)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "kind %u, metric %u, precision %u: one of them does not exist",
			       o->kind, o->metric, o->precision);
	if (o->m == 1 || o->m > EDGES_MAX / 2)
		return err_set(err, ERR_INVALID_ARGUMENT, "m is %u; possible is 2 to %d", o->m,
			       EDGES_MAX / 2);
	if (o->ef_construction > VECTOR_EF_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "ef_construction is %u; possible is up to %d", o->ef_construction,
			       VECTOR_EF_MAX);
	if (o->alpha != 0 && !(o->alpha >= 1 && o->alpha <= 10))
		return err_set(err, ERR_INVALID_ARGUMENT, "alpha is %g; possible is 1 to 10",
			       (double)o->alpha);
	if (o->model && strlen(o->model) >= VECTOR_MODEL_MAX)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the name of a model has at most %d bytes", VECTOR_MODEL_MAX - 1);
	return 0;
}

static int check_dimension(const struct vector_index *ix, struct err *err)
{
	if (ix->dimension >= 1 && ix->dimension <= VECTOR_DIMENSION_MAX)
		return 0;
	return err_set(err, ERR_INVALID_ARGUMENT,
		       "vectors of %u values are not possible: from 1 to %d are", ix->dimension,
		       VECTOR_DIMENSION_MAX);
}

static void take_options(struct vector_index *ix, const struct vector_options *o)
{
	ix->kernels = vector_kernels_best();
	ix->kind = o->kind;
	ix->metric = o->metric;
	ix->precision = o->kind == VECTOR_EXACT ? VECTOR_F32 : o->precision;
	ix->dimension = o->dimension;
	ix->m = o->m ? o->m : M_DEFAULT;
	ix->ef_construction = o->ef_construction ? o->ef_construction : EF_CONSTRUCTION_DEFAULT;
	ix->alpha = o->alpha > 0 ? o->alpha : ALPHA_DEFAULT;
	ix->memory_max_bytes = o->memory_max_bytes;
	ix->log_max_bytes = o->log_max_bytes ? o->log_max_bytes : LOG_MAX_DEFAULT;
	ix->no_log = o->no_log;
	if (o->model && strlen(o->model) < sizeof(ix->model)) /* a longer one is refused */
		memcpy(ix->model, o->model, strlen(o->model));
}

/* What follows from kind and dimension. */
static void set_sizes(struct vector_index *ix)
{
	ix->code_bytes = ((size_t)ix->dimension + VECTOR_CODE_ALIGN - 1U) / VECTOR_CODE_ALIGN *
			 (size_t)VECTOR_CODE_ALIGN;
	ix->vector_bytes = (size_t)ix->dimension *
			   (ix->precision == VECTOR_F16 ? sizeof(uint16_t) : sizeof(float));
	ix->chunks = mem_alloc_array(CHUNKS_MAX, sizeof(*ix->chunks));
	ix->stored = mem_alloc_array(ix->dimension, sizeof(float));
	ix->halves = mem_alloc_array(ix->dimension, sizeof(uint16_t));
	ix->unit = mem_alloc_array(ix->dimension, sizeof(float));
	ix->code = mem_alloc_array(ix->code_bytes, 1);
	scratch_init(ix, &ix->scratch);
}

static int differs(const struct vector_index *ix, struct err *err, const char *what)
{
	(void)err_set(err, ERR_INVALID_ARGUMENT, "the index \"%s\" was made with another %s",
		      ix->dir, what);
	return err_hint(err, "ask for what it has, or make a new index");
}

/* Whether the index that is there is the one that was asked for. */
static int compare_options(const struct vector_index *ix, const struct vector_options *o,
			   struct err *err)
{
	if (o->dimension && o->dimension != ix->dimension) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "the index \"%s\" holds vectors of %u values, not %u", ix->dir,
			      ix->dimension, o->dimension);
		return err_hint(err, "vectors of different models cannot be mixed");
	}
	if (o->model && !cstr_equal(o->model, ix->model)) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "the index \"%s\" holds vectors of the model \"%s\", not \"%s\"",
			      ix->dir, ix->model, o->model);
		return err_hint(err, "vectors of different models cannot be mixed");
	}
	if (o->kind != 0 && o->kind != ix->kind)
		return differs(ix, err, "kind");
	if (o->metric != 0 && o->metric != ix->metric)
		return differs(ix, err, "metric");
	if (o->precision != 0 && o->precision != ix->precision)
		return differs(ix, err, "precision");
	if (o->m != 0 && o->m != ix->m)
		return differs(ix, err, "m");
	return 0;
}

static int open_new(struct vector_index *ix, struct err *err)
{
	int r = check_dimension(ix, err);

	if (r < 0)
		return r;
	set_sizes(ix);
	r = files_open_vectors(ix, true, err);
	if (r == 0)
		r = files_sync_parent(ix, err);
	return r < 0 ? r : checkpoint_write(ix, err); /* empty, with an empty log */
}

static int open_there(struct vector_index *ix, const struct vector_options *o, struct err *err)
{
	int r = checkpoint_peek(ix, err);

	if (r == 0)
		r = compare_options(ix, o, err);
	if (r < 0)
		return r;
	set_sizes(ix);
	r = files_open_vectors(ix, false, err);
	if (r == 0)
		r = checkpoint_load(ix, err);
	if (r < 0)
		return r;
	/* What a checkpoint before had freed; on a full disk it waits for the next one. */
	(void)!slots_recycle(ix, NULL);
	r = log_replay(ix, err);
	if (r == 0)
		log_remove_others(ix);
	return r;
}

static int open_files(struct vector_index *ix, const struct vector_options *o, struct err *err)
{
	bool is_new;
	int r = files_open(ix, &is_new, err);

	if (r < 0)
		return r;
	return is_new ? open_new(ix, err) : open_there(ix, o, err);
}

static void index_free(struct vector_index *ix)
{
	files_close(ix);
	slots_done(ix);
	scratch_done(&ix->scratch);
	mem_free(ix->stored);
	mem_free(ix->halves);
	mem_free(ix->unit);
	mem_free(ix->code);
	mem_free(ix->dir);
	mem_free(ix);
}

int vector_open(const char *dir, const struct vector_options *options, struct vector_index **ret,
		struct err *err)
{
	return vector_open_hooked(dir, options, NULL, ret, err);
}

int vector_open_hooked(const char *dir, const struct vector_options *options,
		       const struct vector_hook *hook, struct vector_index **ret, struct err *err)
{
	struct vector_index *ix;
	int r = check_options(options, err);

	if (r < 0)
		return r;
	ix = MEM_NEW(struct vector_index);
	ix->entry = ENTRY_NONE;
	ix->epoch = 1;
	ix->random = 1;
	if (hook)
		ix->hook = *hook;
	take_options(ix, options);
	if (dir) {
		ix->dir = mem_strdup(dir);
		r = open_files(ix, options, err);
	} else {
		r = check_dimension(ix, err);
		if (r == 0)
			set_sizes(ix);
	}
	if (r < 0) {
		index_free(ix);
		return r;
	}
	*ret = ix;
	return 0;
}

int vector_close(struct vector_index *ix, struct err *err)
{
	int r = 0;

	if (!ix)
		return 0;
	if (ix->dir && ix->changed)
		r = vector_checkpoint(ix, err);
	index_free(ix);
	return r;
}

/* --- writing --------------------------------------------------------------------------------- */

/* The id's slot goes: at once for searches, from the graph later. */
static void kill_slot(struct vector_index *ix, uint32_t slot)
{
	atomic_store_explicit(&chunk_of(ix, slot)->ids[in_chunk(slot)], VECTOR_ID_NONE,
			      memory_order_release);
	if (ix->kind == VECTOR_GRAPH)
		retired_add(&ix->dead, slot, 0);
	else
		retired_add(&ix->limbo, slot, atomic_fetch_add(&ix->epoch, 1));
}

static void repair_when_due(struct vector_index *ix)
{
	if (ix->dead.len >= REPAIR_MIN && ix->dead.len * REPAIR_SHARE >= ix->live)
		graph_repair(ix, EDGE_NONE);
}

static void set_id(struct vector_index *ix, uint32_t id, uint32_t slot)
{
	atomic_store_explicit(&chunk_of(ix, slot)->ids[in_chunk(slot)], id, memory_order_release);
	ids_set(ix, id, slot);
}

/* Searches that run meanwhile learn of it: see settle() in vector_search.c. */
static void move_id(struct vector_index *ix, uint32_t id, uint32_t from, uint32_t to)
{
	atomic_store(&ix->moved[ix->moves_begun % MOVES], id);
	atomic_fetch_add(&ix->moves_begun, 1);
	set_id(ix, id, to);
	kill_slot(ix, from);
	atomic_fetch_add(&ix->moves_done, 1);
}

static void publish(struct vector_index *ix, uint32_t id, uint32_t slot)
{
	uint32_t old = ids_get(ix, id);

	if (ix->kind == VECTOR_GRAPH)
		graph_insert(ix, slot);
	if (old == EDGE_NONE) {
		set_id(ix, id, slot);
		atomic_fetch_add(&ix->live, 1);
	} else {
		move_id(ix, id, old, slot);
	}
	ix->changed = true;
	repair_when_due(ix);
}

static int check_memory(const struct vector_index *ix, uint32_t id, unsigned layers,
			struct err *err)
{
	size_t need =
	    ix->memory_bytes + ids_memory_bytes(ix, id) + (size_t)layers * ix->m * sizeof(uint32_t);

	if (ix->n_free == 0)
		need += slot_memory_bytes(ix);
	if (!ix->memory_max_bytes || need <= ix->memory_max_bytes)
		return 0;
	(void)err_set(err, ERR_LIMIT,
		      "the index is full: %llu vectors take %zu bytes, and %zu are allowed",
		      (unsigned long long)ix->live, ix->memory_bytes, ix->memory_max_bytes);
	return err_hint(err, "allow more memory, or delete vectors and compact");
}

int index_put(struct vector_index *ix, uint32_t id, const float *vector, bool log, struct err *err)
{
	unsigned layers = ix->kind == VECTOR_GRAPH ? graph_random_layers(ix) : 0;
	uint32_t slot = 0;
	int r;

	if (ix->n_free == 0)
		slots_reclaim(ix, false);
	r = log ? check_memory(ix, id, layers, err) : 0;
	if (r == 0)
		r = ids_reserve(ix, id, err);
	if (r == 0)
		r = slot_fill(ix, vector, layers, &slot, err);
	if (r < 0)
		return r;
	if (log && ix->files && !ix->no_log)
		r = log_append(ix, id, vector, err);
	if (r < 0) {
		slot_abandon(ix, slot);
		return r;
	}
	publish(ix, id, slot);
	return 0;
}

int index_delete(struct vector_index *ix, uint32_t id, bool log, struct err *err)
{
	uint32_t slot = id == VECTOR_ID_NONE ? EDGE_NONE : ids_get(ix, id);
	int r = 0;

	if (slot == EDGE_NONE)
		return err_set(err, ERR_NOT_FOUND, "there is no vector %u", id);
	if (log && ix->files && !ix->no_log)
		r = log_append(ix, id, NULL, err);
	if (r < 0)
		return r;
	ids_set(ix, id, EDGE_NONE);
	kill_slot(ix, slot);
	atomic_fetch_sub(&ix->live, 1);
	ix->changed = true;
	repair_when_due(ix);
	return 0;
}

#define F16_MAX 65504.0F

int index_check_values(const struct vector_index *ix, const float *vector, struct err *err)
{
	float norm2;

	for (unsigned i = 0; i < ix->dimension; i++) {
		if (!isfinite(vector[i]))
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "value %u of the vector is no finite number", i);
		if (ix->precision == VECTOR_F16 && fabsf(vector[i]) > F16_MAX)
			return err_set(err, ERR_INVALID_ARGUMENT,
				       "value %u of the vector, %g, is too large for f16", i,
				       (double)vector[i]);
	}
	norm2 = ix->kernels->dot_f32(vector, vector, ix->dimension);
	if (!(norm2 <= NORM2_MAX))
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "the values of the vector are too large: their squares overflow");
	if (ix->metric == VECTOR_COSINE && norm2 < FLT_MIN)
		return err_set(err, ERR_INVALID_ARGUMENT,
			       "a vector of zeros, or of values next to it, has no direction");
	return 0;
}

/* As it will be stored; of unit length for the cosine. */
static int take_vector(struct vector_index *ix, const float *vector, struct err *err)
{
	float norm2 = vector_norm2(ix, vector);
	float factor = ix->metric == VECTOR_COSINE && norm2 >= FLT_MIN ? 1 / sqrtf(norm2) : 1;

	for (unsigned i = 0; i < ix->dimension; i++)
		ix->unit[i] = vector[i] * factor;
	return index_check_values(ix, ix->unit, err);
}

/* Whether the id has that vector already: a repeated put changes nothing. */
static bool is_stored(struct vector_index *ix, uint32_t id)
{
	uint32_t slot = ids_get(ix, id);
	const void *data = ix->unit;

	if (slot == EDGE_NONE)
		return false;
	if (ix->precision == VECTOR_F16) {
		ix->kernels->to_f16(ix->unit, ix->halves, ix->dimension);
		data = ix->halves;
	}
	return memcmp(slot_vector(ix, slot), data, ix->vector_bytes) == 0;
}

int vector_put(struct vector_index *ix, uint32_t id, const float *vector, struct err *err)
{
	int r;

	if (id == VECTOR_ID_NONE)
		return err_set(err, ERR_INVALID_ARGUMENT, "%u is no id: it stands for none", id);
	r = take_vector(ix, vector, err);
	if (r < 0 || is_stored(ix, id))
		return r;
	return index_put(ix, id, ix->unit, true, err);
}

int vector_delete(struct vector_index *ix, uint32_t id, struct err *err)
{
	return index_delete(ix, id, true, err);
}

int vector_sync(struct vector_index *ix, struct err *err)
{
	struct vector_files *f = ix->files;
	struct err failed = {0};
	int r;

	if (!f || ix->no_log)
		return 0;
	r = log_sync(ix, err);
	if (r < 0 || f->log_bytes < f->checkpoint_at)
		return r;
	/* All is durable; a checkpoint that fails (a full disk) only leaves a longer log. */
	f->checkpoint_at = f->log_bytes * 2;
	if (vector_checkpoint(ix, &failed) < 0) {
		f->checkpoint_failures++;
		memcpy(f->checkpoint_error, failed.message, sizeof(f->checkpoint_error));
	}
	return 0;
}

int vector_checkpoint(struct vector_index *ix, struct err *err)
{
	int r;

	if (ix->dead.len > 0)
		graph_repair(ix, EDGE_NONE);
	else if (ix->kind == VECTOR_GRAPH)
		graph_connect(ix);
	slots_reclaim(ix, true);
	if (!ix->files)
		return 0;
	r = checkpoint_write(ix, err);
	if (r < 0)
		return r;
	ix->changed = false;
	ix->files->checkpoint_at = ix->log_max_bytes;
	ix->files->checkpoint_error[0] = '\0';
	return slots_recycle(ix, err);
}

static bool is_compact(const struct vector_index *ix)
{
	return !ix->changed && !ix->dead.len && !ix->limbo.len && !ix->waiting.len;
}

/* What the writer had in hand. */
static void forget_in_hand(struct vector_index *ix)
{
	memset(ix->stored, 0, ix->dimension * sizeof(*ix->stored));
	memset(ix->halves, 0, ix->dimension * sizeof(*ix->halves));
	memset(ix->unit, 0, ix->dimension * sizeof(*ix->unit));
	memset(ix->code, 0, ix->code_bytes);
	memset(ix->scratch.query, 0, ix->code_bytes);
}

int vector_compact(struct vector_index *ix, struct err *err)
{
	int r = ix->files && is_compact(ix) ? 0 : vector_checkpoint(ix, err);

	if (r == 0)
		forget_in_hand(ix);
	return r == 0 && ix->files ? files_sync_vectors(ix, err) : r;
}

/* --- readers --------------------------------------------------------------------------------- */

int vector_reader_new(struct vector_index *ix, struct vector_reader **ret, struct err *err)
{
	for (unsigned i = 0; i < VECTOR_READERS_MAX; i++) {
		struct vector_reader *r;

		if (atomic_exchange(&ix->places[i], true))
			continue;
		r = MEM_NEW(struct vector_reader);
		r->index = ix;
		r->place = i;
		scratch_init(ix, &r->scratch);
		*ret = r;
		return 0;
	}
	return err_set(err, ERR_LIMIT, "the index has %d readers already", VECTOR_READERS_MAX);
}

struct vector_reader *vector_reader_free(struct vector_reader *r)
{
	if (r) {
		scratch_done(&r->scratch);
		atomic_store(&r->index->places[r->place], false);
		mem_free(r);
	}
	return NULL;
}

/* --- figures --------------------------------------------------------------------------------- */

uint64_t vector_count_edges(const struct vector_index *ix)
{
	uint64_t n = 0;

	for (uint32_t slot = 0; slot < ix->slots && ix->kind == VECTOR_GRAPH; slot++) {
		unsigned max, i = 0;
		_Atomic uint32_t *edges = slot_edges(ix, slot, 0, &max);

		while (i < max &&
		       atomic_load_explicit(&edges[i], memory_order_relaxed) != EDGE_NONE)
			i++;
		n += slot_id(ix, slot) == VECTOR_ID_NONE ? 0 : i;
	}
	return n;
}

void vector_stats(const struct vector_index *ix, struct vector_stats *ret)
{
	uint64_t entry = atomic_load(&ix->entry);

	*ret = (struct vector_stats){
	    .kind = ix->kind,
	    .metric = ix->metric,
	    .precision = ix->precision,
	    .dimension = ix->dimension,
	    .m = ix->m,
	    .ef_construction = ix->ef_construction,
	    .alpha = ix->alpha,
	    .model = ix->model,
	    .vectors = atomic_load(&ix->live),
	    .deleted = ix->dead.len + ix->limbo.len + ix->waiting.len,
	    .layers = entry == ENTRY_NONE ? 0 : (unsigned)(entry >> 32) + 1,
	    .memory_bytes = ix->memory_bytes,
	    .mapped_bytes = ix->dir ? (uint64_t)ix->slots * ix->vector_bytes : 0,
	    .log_bytes = ix->files ? ix->files->log_bytes + ix->files->buffered - LOG_HEADER : 0,
	    .replayed = ix->replayed,
	    .dropped_bytes = ix->files ? ix->files->dropped_bytes : 0,
	    .checkpoint_failures = ix->files ? ix->files->checkpoint_failures : 0,
	    .checkpoint_error =
		ix->files && ix->files->checkpoint_error[0] ? ix->files->checkpoint_error : NULL,
	    .kernels = ix->kernels->name,
	};
}
