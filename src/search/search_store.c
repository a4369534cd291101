/*
 * Records on disk: see search_store.h.
 *
 * What is no longer valid is marked before it is overwritten, one byte, which a disk writes whole
 * or not: a crash in between leaves a record that counts as gone. It is marked only when what
 * replaced it is durable, and overwritten only when the mark is. So whoever finds a mark finds a
 * later record of the same number; where there is none, the file is damaged.
 *
 * That all documents have to be read is said in the header, until the first sync: whoever opened
 * the file has seen to it by then.
 */
#include "search/search_store.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define VERSION	    1
#define RECORD_MAX  ((size_t)8 << 20)
#define READ_BYTES  ((size_t)4 << 20)
#define WASTE_MIN   ((uint64_t)16 << 20) /* a small file is not worth it */
#define WIPE_MAX    4096		 /* records a call: others wait for the file meanwhile */
#define KIND_PUT    1
#define KIND_NUMBER 2
#define KIND_DEAD   0x80
#define FLAG_STALE  1

struct header {
	char magic[8];
	uint32_t version, flags;
	uint64_t hash, space, since;
	uint64_t checksum;
};
static_assert(sizeof(struct header) == 48, "as the format says");

struct record {
	uint32_t size; /* of key and content */
	uint32_t number;
	uint8_t kind, reserved;
	uint16_t key_size;
	uint32_t check;	   /* of what is above, as it was when the record was valid */
	uint64_t checksum; /* of all but itself */
};
static_assert(sizeof(struct record) == 24, "as the format says");

struct dead {
	uint64_t offset; /* of its header */
	uint32_t size;
	int64_t at_us;
};

struct search_store {
	char *path;
	int fd;
	uint64_t hash, space, since, synced;
	_Atomic uint64_t end; /* read by any thread */
	uint64_t wasted;
	uint32_t flags; /* of the header */
	bool is_stale;
	bool has_rest;	   /* of a write that failed, behind the end */
	bool has_new_name; /* its folder is not flushed yet */
	struct dead *dead; /* first in, first out */
	size_t n_dead, cap_dead;
	struct strbuf buffer; /* of a record */
};

static uint64_t checksum(const void *data, size_t n)
{
	return map_hash((struct str){data, n});
}

static uint32_t check_of(const struct record *h)
{
	struct record copy = *h;

	copy.kind &= (uint8_t)~KIND_DEAD;
	return (uint32_t)checksum(&copy, offsetof(struct record, check));
}

/* A record may be read by its header, or passed over. */
static bool has_sound_header(const struct record *h)
{
	uint8_t kind = h->kind & (uint8_t)~KIND_DEAD;

	if (h->kind == (KIND_NUMBER | KIND_DEAD) && h->size) /* only documents are marked */
		return false;
	return h->check == check_of(h) && (kind == KIND_PUT || kind == KIND_NUMBER) &&
	       h->size <= RECORD_MAX && h->key_size <= h->size;
}

static int failed(const struct search_store *s, const char *what, struct err *err)
{
	int r = file_error(what, s->path, err);

	if (errno == ENOSPC)
		(void)err_hint(err, "make room, and indexing goes on by itself");
	return r;
}

static int write_all(const struct search_store *s, const void *data, size_t n, uint64_t at,
		     struct err *err)
{
	const char *p = data;

	while (n) {
		ssize_t written = pwrite(s->fd, p, n, (off_t)at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return failed(s, "write", err);
		p += written;
		at += (uint64_t)written;
		n -= (size_t)written;
	}
	return 0;
}

/* Fewer than `n` only at the file's end. */
static int read_some(const struct search_store *s, void *data, size_t n, uint64_t at, size_t *ret_n,
		     struct err *err)
{
	*ret_n = 0;
	while (*ret_n < n) {
		ssize_t got = pread(s->fd, (char *)data + *ret_n, n - *ret_n, (off_t)(at + *ret_n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed(s, "read", err);
		if (got == 0)
			break;
		*ret_n += (size_t)got;
	}
	return 0;
}

/* --- appending ------------------------------------------------------------------------------- */

/* What a write that failed has left behind would be read as a damaged record. */
static int drop_rest(struct search_store *s, struct err *err)
{
	if (s->has_rest && ftruncate(s->fd, (off_t)s->end) < 0)
		return failed(s, "cut", err);
	s->has_rest = false;
	return 0;
}

/* The record in the buffer. */
static int append(struct search_store *s, struct err *err)
{
	int r = drop_rest(s, err);

	if (r < 0)
		return r;
	r = write_all(s, s->buffer.data, s->buffer.len, s->end, err);
	if (r < 0) {
		s->has_rest = true;
		(void)drop_rest(s, NULL); /* or the next one does it */
		return r;
	}
	s->end += s->buffer.len;
	return 0;
}

/* A number that no key has keeps its place: numbers are in order. */
static void make_gap(struct search_store *s, uint32_t number)
{
	struct record h = {.number = number, .kind = KIND_NUMBER | KIND_DEAD};

	h.check = check_of(&h);
	strbuf_clear(&s->buffer);
	strbuf_add(&s->buffer, &h, sizeof(h));
}

/* --- opening --------------------------------------------------------------------------------- */

static int write_header(struct search_store *s, struct err *err)
{
	struct header h = {.magic = "AMSEARCH",
			   .version = VERSION,
			   .flags = s->flags,
			   .hash = s->hash,
			   .space = s->space,
			   .since = s->since};

	h.checksum = checksum(&h, offsetof(struct header, checksum));
	return write_all(s, &h, sizeof(h), 0, err);
}

static int read_header(struct search_store *s, uint64_t *ret_hash, struct err *err)
{
	struct header h = {0};
	size_t n = 0;
	int r = read_some(s, &h, sizeof(h), 0, &n, err);

	if (r < 0)
		return r;
	if (n < sizeof(h) || memcmp(h.magic, "AMSEARCH", sizeof(h.magic)) != 0 ||
	    h.checksum != checksum(&h, offsetof(struct header, checksum)))
		return err_set(err, ERR_CORRUPTED, "\"%s\" is no file of records, or is damaged",
			       s->path);
	if (h.version != VERSION)
		return err_set(err, ERR_CORRUPTED, "\"%s\" has format %u, not %d", s->path,
			       h.version, VERSION);
	*ret_hash = h.hash;
	s->space = h.space;
	s->since = h.since;
	s->flags = h.flags;
	s->is_stale = h.flags & FLAG_STALE;
	return 0;
}

/* Durable before anything else happens. */
static int write_stale(struct search_store *s, struct err *err)
{
	int r;

	s->is_stale = true;
	s->flags |= FLAG_STALE;
	r = write_header(s, err);
	return r == 0 && fdatasync(s->fd) < 0 ? failed(s, "flush", err) : r;
}

int search_store_peek(const char *path, uint64_t *ret_hash, struct err *err)
{
	_cleanup_(search_store_freep) struct search_store *s = MEM_NEW(struct search_store);

	s->path = mem_strdup(path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	return s->fd < 0 ? file_error("open", path, err) : read_header(s, ret_hash, err);
}

int search_store_each_key(const char *path, search_store_key_fn fn, void *arg, struct err *err)
{
	_cleanup_(search_store_freep) struct search_store *s = MEM_NEW(struct search_store);
	_cleanup_(mem_freep) char *key = mem_alloc((size_t)UINT16_MAX);
	uint64_t hash, at = sizeof(struct header);
	struct record h;
	size_t n = 0;
	int r;

	s->path = mem_strdup(path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return errno == ENOENT ? 0 : file_error("open", path, err);
	r = read_header(s, &hash, err);
	while (r == 0 && (r = read_some(s, &h, sizeof(h), at, &n, err)) == 0) {
		if (n < sizeof(h))
			break;
		if (!has_sound_header(&h))
			return err_set(err, ERR_CORRUPTED, "\"%s\" is damaged at byte %" PRIu64,
				       path, at);
		if (h.kind == KIND_PUT)
			r = read_some(s, key, h.key_size, at + sizeof(h), &n, err);
		if (r == 0 && h.kind == KIND_PUT && n == h.key_size)
			r = fn(arg, (struct str){key, n}, err);
		at += sizeof(h) + h.size;
	}
	return r;
}

struct scanning {
	const struct search_store_options *options;
	struct strbuf buffer;  /* bytes of the file from `from` */
	uint64_t from, size;   /* size: of the file */
	uint64_t since;	       /* records before are of other rules */
	uint64_t n;	       /* records so far */
	struct former *former; /* by number */
	size_t cap_former;
	bool is_torn; /* the last record was not written to its end */
};

struct former { /* the last record of a number that holds a document */
	uint64_t offset;
	uint32_t size; /* 0: there is none */
	bool is_gone;  /* what replaced it has not been seen yet */
};

/* The bytes at `at`: NULL when the file ends before. */
static int window(struct search_store *s, struct scanning *k, uint64_t at, size_t n,
		  const char **ret, struct err *err)
{
	size_t got = 0, want = n > READ_BYTES ? n : READ_BYTES;
	int r;

	*ret = NULL;
	if (at >= k->from && at + n <= k->from + k->buffer.len) {
		*ret = k->buffer.data + (at - k->from);
		return 0;
	}
	if (at > k->size || n > k->size - at)
		return 0;
	want = want < k->size - at ? want : k->size - at;
	strbuf_clear(&k->buffer);
	mem_grow(&k->buffer.data, &k->buffer.cap, want + 1, 1);
	r = read_some(s, k->buffer.data, want, at, &got, err);
	k->buffer.len = r == 0 ? got : 0;
	k->from = at;
	if (r == 0 && got >= n)
		*ret = k->buffer.data;
	return r;
}

static bool is_sound(const struct record *h, const char *bytes)
{
	/* The checksum's place holds zeros while it is made. */
	struct record copy = *h;
	uint64_t sum;

	copy.checksum = 0;
	sum = checksum(&copy, sizeof(copy)) * 31 + checksum(bytes + sizeof(copy), h->size);
	return sum == h->checksum;
}

static void note_dead(struct search_store *s, uint64_t offset, uint32_t size)
{
	mem_grow(&s->dead, &s->cap_dead, s->n_dead + 1, sizeof(*s->dead));
	s->dead[s->n_dead++] = (struct dead){offset, size, clock_monotonic_us()};
	s->wasted += sizeof(struct record) + size;
}

/* Numbers are given in order, so that none is above the records before. */
static struct former *former_of(struct scanning *k, uint32_t number)
{
	if (number > k->n || number > SEARCH_NUMBERS_MAX)
		return NULL;
	mem_grow(&k->former, &k->cap_former, number + 1UL, sizeof(*k->former));
	return &k->former[number];
}

/* A record that is no longer valid; it may not have been overwritten yet. */
static int pass_dead(struct search_store *s, struct scanning *k, const struct record *h)
{
	struct former *former = former_of(k, h->number);

	k->is_torn = k->size - s->end < sizeof(*h) + h->size;
	if (k->is_torn || !former)
		return 0;
	if (h->size) /* a number that nobody has holds nothing to overwrite */
		note_dead(s, s->end, h->size);
	*former = (struct former){.is_gone = h->size != 0};
	s->end += sizeof(*h) + h->size;
	k->n++;
	return 1;
}

static int pass_record(struct search_store *s, struct scanning *k, const struct record *h,
		       const char *bytes, struct err *err)
{
	struct former *former = former_of(k, h->number);
	struct str key = {bytes + sizeof(*h), h->key_size};
	struct str content = {key.data + key.len, h->size - key.len};
	struct search_stored at = {s->end + sizeof(*h) + key.len, (uint32_t)content.len};
	bool is_document = h->kind == KIND_PUT;
	int r;

	if (!former)
		return 0;
	r = k->options->each(k->options->arg, h->number, key, &at,
			     is_document && s->end >= k->since ? &content : NULL, err);
	if (r < 0)
		return r == -ERR_CORRUPTED ? 0 : r;
	if (former->size)
		note_dead(s, former->offset, former->size);
	*former = (struct former){.offset = s->end, .size = is_document ? h->size : 0};
	s->end += sizeof(*h) + h->size;
	k->n++;
	return 1;
}

/* One record: 1, or 0 where the file ends. */
static int scan_record(struct search_store *s, struct scanning *k, struct err *err)
{
	const char *bytes = NULL;
	struct record h;
	int r = window(s, k, s->end, sizeof(h), &bytes, err);

	k->is_torn = !bytes;
	if (r < 0 || !bytes)
		return r;
	memcpy(&h, bytes, sizeof(h));
	if (!has_sound_header(&h))
		return 0;
	if (h.kind & KIND_DEAD)
		return pass_dead(s, k, &h);
	r = window(s, k, s->end, sizeof(h) + h.size, &bytes, err);
	k->is_torn = !bytes;
	if (r < 0 || !bytes || !is_sound(&h, bytes))
		return r;
	return pass_record(s, k, &h, bytes, err);
}

/* Whether a number has marked records only: what replaced them is lost. */
static bool has_lost_any(const struct scanning *k)
{
	for (size_t i = 0; i < k->cap_former; i++) {
		if (k->former[i].is_gone)
			return true;
	}
	return false;
}

static int scan(struct search_store *s, struct scanning *k, struct err *err)
{
	bool is_lost;
	int r = 1;

	s->end = sizeof(struct header);
	while (r > 0)
		r = scan_record(s, k, err);
	if (r < 0)
		return r;
	err_clear(err);
	is_lost = has_lost_any(k);
	if (k->size == s->end && !is_lost)
		return 0;
	if (!k->is_torn || is_lost) /* what was durable is lost, and numbers with it */
		random_bytes(&s->space, sizeof(s->space));
	r = write_stale(s, err);
	if (r == 0 && ftruncate(s->fd, (off_t)s->end) < 0)
		r = failed(s, "cut", err);
	for (uint32_t i = 0; i < k->cap_former && r == 0; i++) {
		if (!k->former[i].is_gone)
			continue;
		make_gap(s, i); /* it is known now */
		r = append(s, err);
	}
	return r;
}

static int make_file(struct search_store *s, struct err *err)
{
	int r;

	s->end = sizeof(struct header);
	random_bytes(&s->space, sizeof(s->space));
	r = write_stale(s, err);
	return r == 0 && file_sync_folder(s->path) < 0 ? failed(s, "flush the folder of", err) : r;
}

static int read_file(struct search_store *s, const struct search_store_options *options,
		     uint64_t size, struct err *err)
{
	struct scanning k = {.options = options, .size = size};
	uint64_t hash = 0;
	int r = read_header(s, &hash, err);

	if (r < 0)
		return r;
	if (hash != options->hash)
		s->since = UINT64_MAX;
	k.since = s->since;
	r = scan(s, &k, err);
	strbuf_done(&k.buffer);
	mem_free(k.former);
	if (r < 0 || hash == options->hash)
		return r;
	s->since = s->end;
	return write_stale(s, err);
}

/* A file without a whole header has no records: it was not made to its end. */
static int open_file(struct search_store *s, const struct search_store_options *options,
		     struct err *err)
{
	_cleanup_(mem_freep) char *half = mem_printf("%s.new", s->path);
	struct stat st;

	if (unlink(half) < 0 && errno != ENOENT) /* of a rewriting that did not come to its end */
		return file_error("remove", half, err);
	s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return failed(s, "open", err);
	if ((size_t)st.st_size < sizeof(struct header))
		return make_file(s, err);
	return read_file(s, options, (uint64_t)st.st_size, err);
}

int search_store_open(const struct search_store_options *options, struct search_store **ret,
		      struct err *err)
{
	_cleanup_(search_store_freep) struct search_store *s = MEM_NEW(struct search_store);
	int r;

	s->path = mem_strdup(options->path);
	s->hash = options->hash;
	s->fd = -1;
	s->buffer = (struct strbuf)STRBUF_INIT(RECORD_MAX + sizeof(struct record));
	r = open_file(s, options, err);
	if (r < 0)
		return r;
	s->synced = 0;
	*ret = TAKE_PTR(s);
	return 0;
}

struct search_store *search_store_free(struct search_store *s)
{
	if (!s)
		return NULL;
	closep(&s->fd);
	strbuf_done(&s->buffer);
	mem_free(s->dead);
	mem_free(s->path);
	mem_free(s);
	return NULL;
}

bool search_store_is_stale(const struct search_store *s)
{
	return s->is_stale;
}

void search_store_set_stale(struct search_store *s)
{
	s->is_stale = true;
}

uint64_t search_store_space(const struct search_store *s)
{
	return s->space;
}

uint64_t search_store_bytes(const struct search_store *s)
{
	return s->end;
}

/* --- writing --------------------------------------------------------------------------------- */

static int make_record(struct search_store *s, uint32_t number, struct str key,
		       const struct str *content, struct err *err)
{
	size_t size = key.len + (content ? content->len : 0);
	struct record h = {
	    .size = (uint32_t)size,
	    .number = number,
	    .kind = content ? KIND_PUT : KIND_NUMBER,
	    .key_size = (uint16_t)key.len,
	};

	if (size > RECORD_MAX || key.len > UINT16_MAX)
		return err_set(err, ERR_LIMIT, "a record of %zu bytes is too large", size);
	h.check = check_of(&h);
	strbuf_clear(&s->buffer);
	strbuf_add(&s->buffer, &h, sizeof(h));
	strbuf_add(&s->buffer, key.data, key.len);
	if (content)
		strbuf_add(&s->buffer, content->data, content->len);
	h.checksum = checksum(&h, sizeof(h)) * 31 + checksum(s->buffer.data + sizeof(h), size);
	memcpy(s->buffer.data, &h, sizeof(h));
	return 0;
}

int search_store_put(struct search_store *s, uint32_t number, struct str key,
		     const struct str *content, const struct search_stored *old,
		     struct search_stored *ret, struct err *err)
{
	struct search_stored former = old ? *old : (struct search_stored){0}; /* may be `ret` */
	uint64_t at = s->end;
	int r = make_record(s, number, key, content, err);

	if (r == 0)
		r = append(s, err);
	if (r < 0)
		return r;
	*ret = (struct search_stored){at + sizeof(struct record) + key.len,
				      content ? (uint32_t)content->len : 0};
	if (former.size)
		note_dead(s, former.offset - key.len - sizeof(struct record),
			  (uint32_t)(key.len + former.size));
	return 0;
}

int search_store_sync(struct search_store *s, struct err *err)
{
	int r = 0;

	if (s->has_new_name && file_sync_folder(s->path) < 0)
		return failed(s, "flush the folder of", err);
	s->has_new_name = false;
	if (s->synced == s->end)
		return 0;
	if (s->flags & FLAG_STALE) {
		s->flags &= ~(uint32_t)FLAG_STALE;
		r = write_header(s, err);
	}
	if (r == 0 && fdatasync(s->fd) < 0)
		r = failed(s, "flush", err);
	if (r == 0)
		s->synced = s->end;
	return r;
}

int search_store_read(const struct search_store *s, const struct search_stored *at,
		      struct strbuf *b, struct err *err)
{
	_cleanup_(mem_freep) char *bytes = mem_alloc(at->size + 1UL);
	size_t n = 0;
	int r = read_some(s, bytes, at->size, at->offset, &n, err);

	if (r == 0 && n < at->size)
		r = err_set(err, ERR_CORRUPTED, "\"%s\" ends before a record of it", s->path);
	if (r == 0)
		strbuf_add(b, bytes, n);
	return r;
}

static int mark(struct search_store *s, const struct dead *d, struct err *err)
{
	const uint8_t kind = KIND_PUT | KIND_DEAD;

	return write_all(s, &kind, 1, d->offset + offsetof(struct record, kind), err);
}

static int overwrite(struct search_store *s, const struct dead *d, struct err *err)
{
	static const char zeros[4096];
	uint64_t at = d->offset + sizeof(struct record), end = at + d->size;
	int r = 0;

	for (; at < end && r == 0; at += sizeof(zeros))
		r = write_all(s, zeros, end - at < sizeof(zeros) ? end - at : sizeof(zeros), at,
			      err);
	return r;
}

int search_store_wipe(struct search_store *s, int64_t age_us, struct err *err)
{
	int64_t until = clock_monotonic_us() - age_us;
	size_t n = 0;
	int r;

	while (n < s->n_dead && n < WIPE_MAX && s->dead[n].at_us <= until)
		n++;
	if (!n)
		return 0;
	r = search_store_sync(s, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = mark(s, &s->dead[i], err);
	if (r == 0 && fdatasync(s->fd) < 0)
		r = failed(s, "flush", err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = overwrite(s, &s->dead[i], err);
	if (r == 0 && fdatasync(s->fd) < 0)
		r = failed(s, "flush", err);
	if (r < 0)
		return r;
	memmove(s->dead, s->dead + n, (s->n_dead - n) * sizeof(*s->dead));
	s->n_dead -= n;
	return 0;
}

/* --- writing anew ---------------------------------------------------------------------------- */

bool search_store_is_wasteful(const struct search_store *s)
{
	return s->wasted > WASTE_MIN && s->wasted > s->end / 2;
}

/* As it stands there, if it is sound: a checksum of its own would hide the damage. */
static int copy_document(const struct search_store *from, struct search_store *to,
			 struct search_live *live, struct err *err)
{
	size_t before = sizeof(struct record) + live->key.len, size = before + live->at.size, n = 0;
	_cleanup_(mem_freep) char *bytes = mem_alloc(size);
	struct str content = {bytes + before, live->at.size};
	int r = read_some(from, bytes, size, live->at.offset - before, &n, err);

	if (r == 0)
		r = make_record(to, live->number, live->key, &content, err);
	if (r == 0 && (n < size || memcmp(bytes, strbuf_str(&to->buffer), size) != 0))
		r = err_set(err, ERR_CORRUPTED, "a record of \"%s\" is damaged", from->path);
	live->at.offset = to->end + before;
	return r;
}

static int copy_records(struct search_store *from, struct search_store *to,
			struct search_live *records, size_t n, struct err *err)
{
	int r = write_header(to, err);

	to->end = sizeof(struct header);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct search_live *live = &records[i];

		if (live->at.size)
			r = copy_document(from, to, live, err);
		else if (live->key.data)
			r = make_record(to, live->number, live->key, NULL, err);
		else
			make_gap(to, live->number);
		if (r == 0)
			r = append(to, err);
	}
	return r == 0 && fdatasync(to->fd) < 0 ? failed(to, "flush", err) : r;
}

int search_store_copy(struct search_store *s, struct search_live *records, size_t n,
		      struct search_store **ret, struct err *err)
{
	_cleanup_(search_store_freep) struct search_store *to = MEM_NEW(struct search_store);
	int r;

	to->path = mem_printf("%s.new", s->path);
	to->hash = s->hash;
	to->space = s->space;
	to->flags = s->flags;
	to->buffer = (struct strbuf)STRBUF_INIT(RECORD_MAX + sizeof(struct record));
	to->fd = open(to->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r = to->fd < 0 ? failed(to, "open", err) : copy_records(s, to, records, n, err);
	if (r == 0 && rename(to->path, s->path) < 0)
		r = failed(s, "replace", err);
	if (r < 0) {
		(void)unlink(to->path);
		return r;
	}
	*ret = TAKE_PTR(to);
	return 0;
}

void search_store_change(struct search_store *s, struct search_store *to)
{
	int fd = s->fd;

	s->fd = to->fd;
	to->fd = fd;
	s->end = to->end;
	s->since = s->wasted = s->n_dead = 0;
	s->has_rest = false;
	s->synced = s->flags & FLAG_STALE ? 0 : to->end;
	s->has_new_name = true;
	search_store_free(to);
}

int search_store_rewrite(struct search_store *s, struct search_live *records, size_t n,
			 struct err *err)
{
	struct search_store *to = NULL;
	int r = search_store_copy(s, records, n, &to, err);

	if (r == 0)
		search_store_change(s, to);
	return r;
}
