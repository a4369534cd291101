/*
 * The checkpoint: everything but the vectors themselves, in one file, written beside the old one
 * and put in its place by rename. Order of a checkpoint, each step durable before the next:
 *
 *   1 vectors are flushed   2 `graph.new` is written   3 an empty log.(N+1) is made
 *   4 `graph.new` becomes `graph`, generation N+1   5 log.N goes
 *
 * A crash before 4 leaves checkpoint N with log N; after it, N+1 with an empty log. What was
 * deleted is out of the graph before it is written, so a checkpoint knows live and free slots only.
 *
 * A file is hostile until proven: every section has a checksum, and after that every id, edge and
 * reference is held against what it may be, so that no file can make a search read elsewhere.
 *
 * Layout (docs/formats/vector.md): the head below, in its first 4,096 bytes, then the sections one
 * after the other, each with as many entries as its name says, without gaps.
 */
#include "vector/vector_file.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* Bytes that a section has for each slot; SECTION_BLOCKS: for each block. */
static size_t entry_bytes(const struct vector_index *ix, enum checkpoint_section s)
{
	const size_t bytes[SECTIONS] = {
	    [SECTION_CODES] = ix->code_bytes,	[SECTION_META] = sizeof(struct slot_meta),
	    [SECTION_RESIDUAL] = sizeof(float), [SECTION_CRC] = sizeof(uint32_t),
	    [SECTION_IDS] = sizeof(uint32_t),	[SECTION_EDGES] = slot_edge_bytes(ix),
	    [SECTION_UPPER] = sizeof(uint32_t), [SECTION_BLOCKS] = ix->m * sizeof(uint32_t),
	};

	return bytes[s];
}

static void *slots_piece(const struct chunk *c, enum checkpoint_section s)
{
	void *const data[SECTION_BLOCKS] = {
	    [SECTION_CODES] = c->codes,
	    [SECTION_META] = c->meta,
	    [SECTION_RESIDUAL] = c->residual,
	    [SECTION_CRC] = c->crc,
	    [SECTION_IDS] = (void *)(uintptr_t)c->ids,
	    [SECTION_EDGES] = (void *)(uintptr_t)c->edges,
	    [SECTION_UPPER] = (void *)(uintptr_t)c->upper,
	};

	return data[s];
}

/* A run of bytes in memory: sections are in pieces, one a chunk. Returns NULL at the end. */
static void *section_piece(const struct vector_index *ix, enum checkpoint_section s, uint32_t piece,
			   size_t *ret_bytes)
{
	bool is_blocks = s == SECTION_BLOCKS;
	size_t all = is_blocks ? ix->upper.used : ix->slots;
	size_t first = (size_t)piece * CHUNK_SLOTS, n = all > first ? all - first : 0;

	n = n < CHUNK_SLOTS ? n : CHUNK_SLOTS;
	*ret_bytes = n * entry_bytes(ix, s);
	if (n == 0)
		return NULL;
	return is_blocks ? (void *)(uintptr_t)ix->upper.chunks[piece]
			 : slots_piece(&ix->chunks[piece], s);
}

/* --- writing --------------------------------------------------------------------------------- */

static struct checkpoint_head head_of(const struct vector_index *ix)
{
	struct checkpoint_head h = {.version = FORMAT_VERSION,
				    .kind = ix->kind,
				    .metric = ix->metric,
				    .precision = files_precision(ix->precision),
				    .dimension = ix->dimension,
				    .m = ix->m,
				    .ef_construction = ix->ef_construction,
				    .alpha = ix->alpha,
				    .generation = ix->files->generation + 1,
				    .random = ix->random,
				    .entry = ix->entry,
				    .live = ix->live,
				    .slots = ix->slots,
				    .blocks = ix->upper.used};

	memcpy(h.magic, "AEMVGRF1", sizeof(h.magic));
	memcpy(h.model, ix->model, sizeof(h.model));
	return h;
}

static int write_sections(struct vector_index *ix, int fd, struct checkpoint_head *h,
			  struct err *err)
{
	struct write_to to = {fd, "graph.new", CHECKPOINT_HEADER};

	for (enum checkpoint_section s = 0; s < SECTIONS; s++) {
		size_t bytes;
		void *p;

		for (uint32_t i = 0; (p = section_piece(ix, s, i, &bytes)) != NULL; i++) {
			int r = files_write(ix->files, to, p, bytes, err);

			if (r < 0)
				return r;
			to.at += bytes;
			h->sections[s].bytes += bytes;
			h->sections[s].crc = crc32c(h->sections[s].crc, p, bytes);
		}
		crash_point(ix, "section written");
	}
	return 0;
}

static int write_new(struct vector_index *ix, struct err *err)
{
	uint8_t page[CHECKPOINT_HEADER] = {0};
	struct checkpoint_head h = head_of(ix);
	_cleanup_(closep) int fd =
	    openat(ix->files->dir_fd, "graph.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_set(err, ERR_IO, "could not make \"%s/graph.new\": %s", ix->dir,
			       strerror(errno));
	/* The head is known when all the rest is written; until then the file has none. */
	r = write_sections(ix, fd, &h, err);
	if (r < 0)
		return r;
	h.crc = crc32c(0, &h, offsetof(struct checkpoint_head, crc));
	memcpy(page, &h, sizeof(h));
	r = files_write(ix->files, (struct write_to){fd, "graph.new", 0}, page, sizeof(page), err);
	if (r == 0 && fsync(fd) < 0)
		r = err_set(err, ERR_IO, "could not flush \"%s/graph.new\": %s", ix->dir,
			    strerror(errno));
	return r;
}

/* From here on the new checkpoint and its log count. */
static int swap(struct vector_index *ix, int log_fd, struct err *err)
{
	struct vector_files *f = ix->files;

	crash_point(ix, "before rename");
	if (renameat(f->dir_fd, "graph.new", f->dir_fd, "graph") < 0)
		return err_set(err, ERR_IO, "could not rename \"%s/graph.new\": %s", ix->dir,
			       strerror(errno));
	crash_point(ix, "after rename");
	f->generation++;
	closep(&f->log_fd);
	f->log_fd = log_fd;
	f->log_bytes = LOG_HEADER;
	log_empty(f);
	f->sequence = 0;
	f->is_renamed_loosely = true; /* until then the disk may have the old one, with its log */
	return files_sync_dir(ix, err);
}

int checkpoint_write(struct vector_index *ix, struct err *err)
{
	_cleanup_(closep) int log_fd = -1;
	int r = files_sync_vectors(ix, err);

	if (r == 0)
		r = write_new(ix, err);
	if (r == 0)
		r = log_create(ix, ix->files->generation + 1, &log_fd, err);
	if (r == 0)
		r = files_sync_dir(ix, err);
	if (r < 0) {
		(void)unlinkat(ix->files->dir_fd, "graph.new", 0);
		return r;
	}
	r = swap(ix, log_fd, err);
	if (ix->files->log_fd == log_fd)
		log_fd = -1;
	if (r == 0)
		log_remove_others(ix);
	crash_point(ix, "checkpoint done");
	return r;
}

/* --- reading --------------------------------------------------------------------------------- */

static int damaged(const struct vector_index *ix, struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPTED, "\"%s/graph\" is damaged: %s", ix->dir, what);
}

static bool head_is_possible(const struct checkpoint_head *h)
{
	return h->kind <= VECTOR_EXACT && h->metric <= VECTOR_L2 && h->precision <= 1 &&
	       h->dimension >= 1 && h->dimension <= VECTOR_DIMENSION_MAX && h->m >= 2 &&
	       h->m <= EDGES_MAX / 2 && h->ef_construction >= 1 &&
	       h->ef_construction <= VECTOR_EF_MAX && h->alpha >= 1 && h->alpha <= 10 &&
	       h->slots <= CHUNKS_MAX * CHUNK_SLOTS && h->live <= h->slots &&
	       h->blocks <= 0x0fffffffU && memchr(h->model, 0, sizeof(h->model)) != NULL;
}

static int read_head(struct vector_index *ix, int fd, struct checkpoint_head *h, struct err *err)
{
	uint8_t page[CHECKPOINT_HEADER];
	int r = fd_read_all(fd, page, sizeof(page), ix->files, "graph", err);

	if (r < 0)
		return r;
	memcpy(h, page, sizeof(*h));
	if (memcmp(h->magic, "AEMVGRF1", sizeof(h->magic)) != 0)
		return err_set(err, ERR_CORRUPTED, "\"%s/graph\" is not a vector index", ix->dir);
	if (h->crc != crc32c(0, h, offsetof(struct checkpoint_head, crc)))
		return damaged(ix, err, "its head does not check");
	if (h->version != FORMAT_VERSION)
		return err_set(err, ERR_UNSUPPORTED,
			       "\"%s/graph\" has format %u; this program reads format %d", ix->dir,
			       h->version, FORMAT_VERSION);
	return head_is_possible(h) ? 0 : damaged(ix, err, "its head says what cannot be");
}

static int open_checkpoint(struct vector_index *ix, struct checkpoint_head *h, int *ret_fd,
			   struct err *err)
{
	_cleanup_(closep) int fd = openat(ix->files->dir_fd, "graph", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			       "could not open \"%s/graph\": %s", ix->dir, strerror(errno));
	r = read_head(ix, fd, h, err);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

int checkpoint_peek(struct vector_index *ix, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct checkpoint_head h = {0};
	int r = open_checkpoint(ix, &h, &fd, err);

	if (r < 0)
		return r;
	ix->kind = h.kind;
	ix->metric = h.metric;
	ix->precision = files_precision(h.precision);
	ix->dimension = h.dimension;
	ix->m = h.m;
	ix->ef_construction = h.ef_construction;
	ix->alpha = h.alpha;
	memcpy(ix->model, h.model, sizeof(ix->model));
	return 0;
}

static int read_section(struct vector_index *ix, int fd, const struct checkpoint_head *h,
			enum checkpoint_section s, struct err *err)
{
	uint32_t crc = 0;
	size_t bytes;
	void *p;

	for (uint32_t i = 0; (p = section_piece(ix, s, i, &bytes)) != NULL; i++) {
		int r = fd_read_all(fd, p, bytes, ix->files, "graph", err);

		if (r < 0)
			return r;
		crc = crc32c(crc, p, bytes);
	}
	return crc == h->sections[s].crc ? 0 : damaged(ix, err, "a section does not check");
}

static uint64_t section_bytes(const struct vector_index *ix, const struct checkpoint_head *h,
			      enum checkpoint_section s)
{
	return (uint64_t)(s == SECTION_BLOCKS ? h->blocks : h->slots) * entry_bytes(ix, s);
}

/* The file must be as long as its head says before memory is taken for it. */
static int check_length(struct vector_index *ix, int fd, const struct checkpoint_head *h,
			struct err *err)
{
	uint64_t want = CHECKPOINT_HEADER;
	struct stat st;

	for (enum checkpoint_section s = 0; s < SECTIONS; s++) {
		if (h->sections[s].bytes != section_bytes(ix, h, s))
			return damaged(ix, err, "a section has another size than its head says");
		want += h->sections[s].bytes;
	}
	if (fstat(fd, &st) < 0)
		return err_set(err, ERR_IO, "could not look at \"%s/graph\": %s", ix->dir,
			       strerror(errno));
	if ((uint64_t)st.st_size != want)
		return damaged(ix, err, "it is shorter or longer than its head says");
	if (fstat(ix->files->vectors_fd, &st) < 0 ||
	    (uint64_t)st.st_size < VECTORS_HEADER + (uint64_t)h->slots * ix->vector_bytes)
		return err_set(err, ERR_CORRUPTED, "\"%s/vectors\" is shorter than its index",
			       ix->dir);
	return 0;
}

static int check_meta(struct vector_index *ix, uint32_t slot, struct err *err)
{
	const struct slot_meta *m = slot_meta(ix, slot);
	float residual = chunk_of(ix, slot)->residual[in_chunk(slot)];

	if (!(m->scale >= 0) || !isfinite(m->scale) || !(m->norm2 >= 0) || !isfinite(m->norm2) ||
	    !(residual >= 0) || !isfinite(residual))
		return damaged(ix, err, "a scale or norm is no number");
	slot_note_extremes(ix, slot);
	return 0;
}

static bool edges_are_possible(const struct vector_index *ix, uint32_t slot, unsigned layer)
{
	unsigned max;
	_Atomic uint32_t *edges = slot_edges(ix, slot, layer, &max);
	bool ended = false;

	for (unsigned i = 0; i < max; i++) {
		uint32_t to = atomic_load_explicit(&edges[i], memory_order_relaxed);

		if (to == EDGE_NONE)
			ended = true;
		else if (ended || to == slot || to >= ix->slots ||
			 slot_id(ix, to) == VECTOR_ID_NONE || slot_layers(ix, to) < layer)
			return false;
	}
	return true;
}

/* Runs of blocks that no two slots may share. */
static int take_blocks(struct vector_index *ix, uint32_t slot, uint8_t *taken, struct err *err)
{
	uint32_t upper =
	    atomic_load_explicit(&chunk_of(ix, slot)->upper[in_chunk(slot)], memory_order_relaxed);
	uint32_t first = upper & 0x0fffffffU, layers = upper >> 28;

	if (upper == 0)
		return 0;
	if (layers == 0 || first == 0 || first + layers > ix->upper.used ||
	    first >> UPPER_BITS != (first + layers - 1) >> UPPER_BITS)
		return damaged(ix, err, "a slot's upper layers are nowhere");
	for (uint32_t i = first; i < first + layers; i++) {
		if (taken[i]++)
			return damaged(ix, err, "two slots share their upper layers");
	}
	return 0;
}

/* What stands free between the runs can be given to slots of one layer. */
static void free_blocks(struct vector_index *ix, const uint8_t *taken)
{
	for (uint32_t i = ix->upper.used; i-- > 1;) {
		if (taken[i])
			continue;
		atomic_store_explicit(
		    &ix->upper.chunks[i >> UPPER_BITS][(size_t)(i & (UPPER_BLOCKS - 1U)) * ix->m],
		    ix->upper.spare[1], memory_order_relaxed);
		ix->upper.spare[1] = i;
	}
}

/* Ids: each at most once. Slots without one are free. */
static int take_ids(struct vector_index *ix, const struct checkpoint_head *h, struct err *err)
{
	uint64_t live = 0;

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		uint32_t id = slot_id(ix, slot);
		int r;

		if (id == VECTOR_ID_NONE) {
			atomic_store_explicit(&chunk_of(ix, slot)->upper[in_chunk(slot)], 0,
					      memory_order_relaxed);
			retired_add(&ix->waiting, slot, 0);
			continue;
		}
		if (ids_get(ix, id) != EDGE_NONE)
			return damaged(ix, err, "an id stands there twice");
		r = ids_reserve(ix, id, err);
		if (r < 0)
			return r;
		ids_set(ix, id, slot);
		live++;
	}
	if (live != h->live)
		return damaged(ix, err, "it holds another number of vectors than its head says");
	ix->live = live;
	return 0;
}

static int check_graph(struct vector_index *ix, struct err *err)
{
	uint64_t entry = ix->entry;

	for (uint32_t slot = 0; slot < ix->slots; slot++) {
		int r = check_meta(ix, slot, err);

		if (r < 0)
			return r;
		if (slot_id(ix, slot) == VECTOR_ID_NONE || ix->kind == VECTOR_EXACT)
			continue;
		for (unsigned layer = 0; layer <= slot_layers(ix, slot); layer++) {
			if (!edges_are_possible(ix, slot, layer))
				return damaged(ix, err, "an edge leads nowhere");
		}
	}
	if (ix->kind == VECTOR_EXACT || (entry == ENTRY_NONE && ix->live == 0))
		return 0;
	if (entry == ENTRY_NONE || (uint32_t)entry >= ix->slots ||
	    slot_id(ix, (uint32_t)entry) == VECTOR_ID_NONE ||
	    slot_layers(ix, (uint32_t)entry) != entry >> 32)
		return damaged(ix, err, "its entry point leads nowhere");
	return 0;
}

/* That ids, blocks and edges belong together. */
static int check_sections(struct vector_index *ix, const struct checkpoint_head *h, struct err *err)
{
	uint8_t *taken = mem_alloc_array((size_t)h->blocks + 1U, 1);
	int r = take_ids(ix, h, err);

	for (uint32_t slot = 0; r == 0 && slot < ix->slots; slot++)
		r = take_blocks(ix, slot, taken, err);
	if (r == 0)
		r = check_graph(ix, err);
	if (r == 0)
		free_blocks(ix, taken);
	mem_free(taken);
	return r;
}

static int load_sections(struct vector_index *ix, int fd, const struct checkpoint_head *h,
			 struct err *err)
{
	int r = slots_reserve(ix, h->slots, err);

	for (uint32_t i = 0; r == 0 && i < (h->blocks + UPPER_BLOCKS - 1) / UPPER_BLOCKS; i++)
		r = upper_reserve_chunk(ix, i, err);
	if (r < 0)
		return r;
	ix->upper.used = h->blocks;
	atomic_store(&ix->slots, h->slots);
	ix->memory_bytes += (size_t)h->slots * slot_memory_bytes(ix);
	if (h->blocks > 1) /* the first is none */
		ix->memory_bytes += (size_t)(h->blocks - 1) * ix->m * sizeof(uint32_t);
	for (enum checkpoint_section s = 0; r == 0 && s < SECTIONS; s++)
		r = read_section(ix, fd, h, s, err);
	return r;
}

int checkpoint_load(struct vector_index *ix, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct checkpoint_head h = {0};
	int r = open_checkpoint(ix, &h, &fd, err);

	if (r == 0)
		r = check_length(ix, fd, &h, err);
	if (r == 0)
		r = load_sections(ix, fd, &h, err);
	if (r < 0)
		return r;
	ix->files->generation = h.generation;
	ix->random = h.random;
	ix->entry = h.entry;
	return check_sections(ix, &h, err);
}
