/*
 * YAML trees: see ydoc.h.
 *
 * Built on libyaml's event interface rather than on its document interface: events come one by one,
 * so that depth and number of nodes are limited while the text is read, and an anchor, an alias or
 * a tag is refused where it stands (the document interface would resolve or lose them). The bytes
 * are checked for UTF-8 and NUL before libyaml sees them.
 *
 * All nodes and texts live in one arena. Children are gathered in a growing array and copied into
 * the arena when their parent ends. Duplicate keys are found by a hash map per map node, so that a
 * map of 100,000 keys costs no more than a list.
 */
#include "base/ydoc.h"

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <yaml.h>

#include "base/banned.h"

struct ydoc {
	struct arena arena;
	struct ynode root;
};

struct builder {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one; always deletable */
	struct ydoc *doc;
	const char *file;
	const char *text;
	size_t len;
	size_t n_nodes;
	struct err *err;
};

struct children {
	struct ynode *items;
	size_t len, cap;
};

static void children_done(struct children *c)
{
	mem_free(c->items);
}

/* "file:line:column: message" */
__attribute__((format(printf, 5, 0))) static int position_error(const char *file, size_t line,
								size_t column, struct err *err,
								const char *fmt, va_list ap)
{
	char message[ERR_MESSAGE_MAX];

	vsnprintf(message, sizeof(message), fmt, ap);
	return err_set(err, ERR_INVALID_ARGUMENT, "%s:%zu:%zu: %s", file, line, column, message);
}

_printf_(4, 5) static int error_at(struct builder *b, size_t line, size_t column, const char *fmt,
				   ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = position_error(b->file, line, column, b->err, fmt, ap);
	va_end(ap);
	return r;
}

#define event_error(b, ...) \
	error_at((b), (b)->event.start_mark.line + 1, (b)->event.start_mark.column + 1, __VA_ARGS__)

/* An error at a byte of the text: counts lines and characters up to it. */
static int offset_error(struct builder *b, size_t offset, const char *what)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset && i < b->len; i++) {
		if (b->text[i] == '\n')
			line++, column = 1;
		else if (((unsigned char)b->text[i] & 0xc0) != 0x80)
			column++;
	}
	return error_at(b, line, column, "%s", what);
}

static int parser_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "not well-formed YAML";

	if (p->error == YAML_MEMORY_ERROR)
		return err_set(b->err, ERR_NO_MEMORY, "could not read \"%s\": out of memory",
			       b->file);
	if (p->error == YAML_READER_ERROR)
		return offset_error(b, p->problem_offset, "a control character stands here");
	if (p->context)
		return error_at(b, p->problem_mark.line + 1, p->problem_mark.column + 1,
				"%s %s that starts in line %zu", problem, p->context,
				p->context_mark.line + 1);
	return error_at(b, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s", problem);
}

static int next_event(struct builder *b)
{
	yaml_event_delete(&b->event);
	if (!yaml_parser_parse(&b->parser, &b->event)) {
		memset(&b->event, 0, sizeof(b->event));
		return parser_error(b);
	}
	return 0;
}

static int refuse_anchor_and_tag(struct builder *b, const yaml_char_t *anchor,
				 const yaml_char_t *tag)
{
	if (anchor)
		return event_error(b, "anchors (\"&%.40s\") are not allowed here",
				   (const char *)anchor);
	if (tag)
		return event_error(b, "tags (\"!\") are not allowed here: write the plain value");
	return 0;
}

static int read_scalar(struct builder *b, const char **ret, bool *ret_quoted)
{
	const char *value = (const char *)b->event.data.scalar.value;
	size_t len = b->event.data.scalar.length;
	int r = refuse_anchor_and_tag(b, b->event.data.scalar.anchor, b->event.data.scalar.tag);

	if (r < 0)
		return r;
	if (memchr(value, '\0', len))
		return event_error(b, "a text holds a NUL character");
	*ret = arena_strndup(&b->doc->arena, value, len);
	*ret_quoted = b->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return 0;
}

static int read_node(struct builder *b, struct ynode *n, unsigned depth);

static void keep_children(struct builder *b, struct ynode *n, const struct children *c)
{
	n->len = c->len;
	if (!c->len)
		return;
	n->children = arena_alloc(&b->doc->arena, c->len * sizeof(*n->children));
	memcpy(n->children, c->items, c->len * sizeof(*n->children));
}

/* Reads the child that the current event starts, and the event behind it. */
static int add_child(struct builder *b, struct children *c, struct ynode *child, unsigned depth)
{
	int r = read_node(b, child, depth);

	if (r < 0)
		return r;
	mem_grow(&c->items, &c->cap, c->len + 1, sizeof(*c->items));
	c->items[c->len++] = *child;
	return next_event(b);
}

static int read_list(struct builder *b, struct ynode *n, unsigned depth)
{
	_cleanup_(children_done) struct children c = {0};
	int r = next_event(b);

	while (r == 0 && b->event.type != YAML_SEQUENCE_END_EVENT) {
		struct ynode child = {0};

		r = add_child(b, &c, &child, depth);
	}
	if (r == 0)
		keep_children(b, n, &c);
	return r;
}

/* The key that the current event is; names where the same key stood before. */
static int read_key(struct builder *b, struct map *seen, struct ynode *child)
{
	bool quoted;
	void **slot;
	size_t *first_line;
	int r;

	if (b->event.type == YAML_ALIAS_EVENT)
		return event_error(b, "aliases (\"*\") are not allowed here: repeat the value");
	if (b->event.type != YAML_SCALAR_EVENT)
		return event_error(b, "a key must be a text");
	r = read_scalar(b, &child->key, &quoted);
	if (r < 0)
		return r;
	if (!child->key[0])
		return event_error(b, "a key is empty");
	child->key_line = b->event.start_mark.line + 1;
	child->key_column = b->event.start_mark.column + 1;
	slot = map_put(seen, str_from(child->key));
	first_line = *slot;
	if (first_line)
		return event_error(b,
				   "the key \"%.60s\" stands here a second time (first: line %zu)",
				   child->key, *first_line);
	first_line = arena_alloc(&b->doc->arena, sizeof(*first_line));
	*first_line = child->key_line;
	*slot = first_line;
	return 0;
}

static int read_map(struct builder *b, struct ynode *n, unsigned depth)
{
	_cleanup_(children_done) struct children c = {0};
	_cleanup_(map_done) struct map seen = {0};
	int r = next_event(b);

	while (r == 0 && b->event.type != YAML_MAPPING_END_EVENT) {
		struct ynode child = {0};

		r = read_key(b, &seen, &child);
		if (r == 0)
			r = next_event(b);
		if (r == 0)
			r = add_child(b, &c, &child, depth);
	}
	if (r == 0)
		keep_children(b, n, &c);
	return r;
}

/* Reads the node that the current event starts. `depth` is that of its parent. */
static int read_node(struct builder *b, struct ynode *n, unsigned depth)
{
	int r;

	n->file = b->file;
	n->text = "";
	n->line = b->event.start_mark.line + 1;
	n->column = b->event.start_mark.column + 1;
	if (++b->n_nodes > YDOC_NODES_MAX)
		return event_error(b, "the file has more than %d values", YDOC_NODES_MAX);
	if (b->event.type == YAML_ALIAS_EVENT)
		return event_error(b, "aliases (\"*\") are not allowed here: repeat the value");
	if (b->event.type == YAML_SCALAR_EVENT) {
		n->kind = YNODE_SCALAR;
		return read_scalar(b, &n->text, &n->quoted);
	}
	if (depth >= YDOC_DEPTH_MAX)
		return event_error(b, "values are nested more than %d levels deep", YDOC_DEPTH_MAX);
	if (b->event.type == YAML_SEQUENCE_START_EVENT) {
		n->kind = YNODE_LIST;
		r = refuse_anchor_and_tag(b, b->event.data.sequence_start.anchor,
					  b->event.data.sequence_start.tag);
		return r < 0 ? r : read_list(b, n, depth + 1);
	}
	if (b->event.type == YAML_MAPPING_START_EVENT) {
		n->kind = YNODE_MAP;
		r = refuse_anchor_and_tag(b, b->event.data.mapping_start.anchor,
					  b->event.data.mapping_start.tag);
		return r < 0 ? r : read_map(b, n, depth + 1);
	}
	return event_error(b, "not well-formed YAML");
}

/* stream-start [document-start node document-end] stream-end */
static int read_stream(struct builder *b)
{
	struct ynode *root = &b->doc->root;
	int r;

	*root =
	    (struct ynode){.kind = YNODE_MAP, .file = b->file, .text = "", .line = 1, .column = 1};
	r = next_event(b);
	if (r < 0)
		return r;
	r = next_event(b);
	if (r < 0 || b->event.type == YAML_STREAM_END_EVENT)
		return r;
	r = next_event(b);
	if (r < 0)
		return r;
	r = read_node(b, root, 0);
	if (r < 0)
		return r;
	if (ynode_is_null(root))
		*root = (struct ynode){
		    .kind = YNODE_MAP, .file = b->file, .line = root->line, .column = root->column};
	r = next_event(b); /* document end */
	if (r < 0)
		return r;
	r = next_event(b);
	if (r < 0 || b->event.type == YAML_STREAM_END_EVENT)
		return r;
	return event_error(b, "a second document starts here; only one is allowed in a file");
}

static int check_bytes(struct builder *b)
{
	const char *nul = b->len ? memchr(b->text, '\0', b->len) : NULL;
	size_t good = 0, bad = b->len;

	if (b->len > YDOC_FILE_MAX)
		return err_set(b->err, ERR_LIMIT, "\"%s\" is longer than %zu bytes", b->file,
			       YDOC_FILE_MAX);
	if (nul)
		return offset_error(b, (size_t)(nul - b->text), "a NUL byte stands here");
	if (utf8_is_valid(b->text, b->len))
		return 0;
	/* The place: whole lines are valid up to the first that is not, then byte by byte. */
	while (good < bad) {
		const char *newline = memchr(b->text + good, '\n', b->len - good);
		size_t end = newline ? (size_t)(newline - b->text) + 1 : b->len;

		if (!utf8_is_valid(b->text + good, end - good)) {
			bad = end;
			break;
		}
		good = end;
	}
	while (good < bad) {
		size_t n = 1;

		while (n < 4 && good + n < bad && ((unsigned char)b->text[good + n] & 0xc0) == 0x80)
			n++;
		if (!utf8_is_valid(b->text + good, n))
			break;
		good += n;
	}
	return offset_error(b, good, "the text is not UTF-8 from here on");
}

int ydoc_parse(const char *file, const char *text, size_t len, struct ydoc **ret, struct err *err)
{
	_cleanup_(ydoc_freep) struct ydoc *doc = MEM_NEW(struct ydoc);
	struct builder b = {.doc = doc, .text = text, .len = len, .err = err};
	int r;

	b.file = arena_strdup(&doc->arena, file);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
		b.text += 3;
		b.len -= 3;
	}
	r = check_bytes(&b);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&b.parser))
		return err_set(err, ERR_NO_MEMORY, "could not read \"%s\": out of memory", file);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)(b.text ? b.text : ""),
				     b.len);
	r = read_stream(&b);
	yaml_event_delete(&b.event);
	yaml_parser_delete(&b.parser);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(doc);
	return 0;
}

int ydoc_load(const char *path, struct ydoc **ret, struct err *err)
{
	_cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(YDOC_FILE_MAX);
	int r = file_read(path, &b, err);

	if (r < 0)
		return r;
	return ydoc_parse(path, strbuf_str(&b), b.len, ret, err);
}

const struct ynode *ydoc_root(const struct ydoc *doc)
{
	return &doc->root;
}

struct ydoc *ydoc_free(struct ydoc *doc)
{
	if (doc)
		arena_done(&doc->arena);
	mem_free(doc);
	return NULL;
}

const struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	if (map->kind != YNODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->len; i++) {
		if (cstr_equal(map->children[i].key, key))
			return &map->children[i];
	}
	return NULL;
}

bool ynode_is_null(const struct ynode *n)
{
	return n->kind == YNODE_SCALAR && !n->quoted &&
	       (!n->text[0] || cstr_equal(n->text, "~") || cstr_equal(n->text, "null"));
}

int ynode_error(const struct ynode *n, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = position_error(n->file, n->line, n->column, err, fmt, ap);
	va_end(ap);
	return r;
}

int ynode_key_error(const struct ynode *n, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = position_error(n->file, n->key ? n->key_line : n->line,
			   n->key ? n->key_column : n->column, err, fmt, ap);
	va_end(ap);
	return r;
}

const char *text_shown(const char *text, char buf[TEXT_SHOWN_SIZE])
{
	size_t len = strlen(text), n = 0;

	buf[n++] = '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		/* At a character's start: is there room for one of four bytes and the end? */
		if ((c & 0xc0) != 0x80 && n > TEXT_SHOWN_SIZE - 10) {
			memcpy(buf + n, "...", 3);
			n += 3;
			break;
		}
		if ((c & 0xc0) == 0x80 && n > TEXT_SHOWN_SIZE - 6)
			break; /* not UTF-8 */
		buf[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}

const char *ynode_shown(const struct ynode *n, char buf[TEXT_SHOWN_SIZE])
{
	if (n->kind == YNODE_LIST)
		return "a list";
	if (n->kind == YNODE_MAP)
		return "a map";
	if (ynode_is_null(n))
		return "nothing";
	return text_shown(n->text, buf);
}

int ynode_check_keys(const struct ynode *map, const char *what, const char *const *allowed,
		     struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];

	if (map->kind != YNODE_MAP)
		return ynode_error(map, err, "%s must be a map of keys and values, found %s", what,
				   ynode_shown(map, shown));
	for (size_t i = 0; i < map->len; i++) {
		const struct ynode *n = &map->children[i];
		const char *const *a = allowed;
		struct strbuf list = STRBUF_INIT(ERR_HINT_MAX / 2);

		while (*a && !cstr_equal(*a, n->key))
			a++;
		if (*a)
			continue;
		(void)ynode_key_error(n, err, "%s is not a key of %s", text_shown(n->key, shown),
				      what);
		(void)err_near(err, cstr_nearest(n->key, allowed));
		for (a = allowed; *a; a++)
			strbuf_addf(&list, "%s%s", a == allowed ? "" : ", ", *a);
		(void)err_hint(err, "allowed are %s", strbuf_str(&list));
		strbuf_done(&list);
		return -ERR_INVALID_ARGUMENT;
	}
	return 0;
}

int ynode_text(const struct ynode *n, const char **ret, struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];

	if (n->kind != YNODE_SCALAR || ynode_is_null(n))
		return ynode_error(n, err, "expected a text, found %s", ynode_shown(n, shown));
	*ret = n->text;
	return 0;
}

int ynode_int(const struct ynode *n, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];

	if (n->kind != YNODE_SCALAR || parse_int64(str_from(n->text), min, max, ret, NULL) < 0)
		return ynode_error(
		    n, err, "expected a whole number from %" PRId64 " to %" PRId64 ", found %s",
		    min, max, ynode_shown(n, shown));
	return 0;
}

int ynode_bool(const struct ynode *n, bool *ret, struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];

	if (n->kind != YNODE_SCALAR || parse_bool(str_from(n->text), ret, NULL) < 0)
		return ynode_error(n, err, "expected true or false, found %s",
				   ynode_shown(n, shown));
	return 0;
}
