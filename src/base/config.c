/*
 * Configuration: see config.h.
 *
 * Every value passes through one function (set_value), whatever its origin: the origin only adds
 * where the text stood. An item keeps the typed value and the text it came from. All texts are in
 * the configuration's arena.
 */
#include "base/config.h"

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/ydoc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define DEFAULT_FILE	"aethermart.yaml"
#define SECRET_SHOWN	"(secret)"
#define LIST_VALUES_MAX 10000

struct value {
	const char *text;
	int64_t number; /* BOOL: 0 or 1 */
	const char **list;
	bool is_set; /* not by default */
};

struct config {
	struct arena arena;
	const char *path;
	size_t len;
	struct config_item *items;
	struct value *values;		  /* by index, like items */
	struct map by_name;		  /* "section.name" -> struct config_item */
	struct config_mistakes *mistakes; /* while reading for config_check(), else NULL */
};

static size_t index_of(const struct config *c, const struct config_item *item)
{
	return (size_t)(item - c->items);
}

static struct config_item *find(const struct config *c, const char *name)
{
	return map_get(&c->by_name, str_from(name));
}

/* What reading does with the result of a piece: a mistake ends it, or is kept for who wants all. */
static int go_on(struct config *c, int r, struct err *err)
{
	struct config_mistakes *m = c->mistakes;

	if (r >= 0 || !m)
		return r;
	mem_grow(&m->items, &m->cap, m->len + 1, sizeof(*m->items));
	m->items[m->len++] = *err;
	err_clear(err);
	return 0;
}

/* --- what is allowed ------------------------------------------------------------------------- */

static void add_amount(struct strbuf *b, enum config_type type, int64_t v)
{
	static const struct {
		const char *suffix;
		int64_t factor;
	} durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}},
	  sizes[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};

	if (type == CONFIG_DURATION) {
		size_t i = 0;

		while (v % durations[i].factor || (!v && durations[i].factor != 1000))
			i++;
		strbuf_addf(b, "%" PRId64 "%s", v / durations[i].factor, durations[i].suffix);
	} else if (type == CONFIG_SIZE) {
		size_t i = 0;

		while (v % sizes[i].factor || (!v && sizes[i].factor != 1))
			i++;
		strbuf_addf(b, "%" PRId64 "%s", v / sizes[i].factor, sizes[i].suffix);
	} else {
		strbuf_addf(b, "%" PRId64, v);
	}
}

static int64_t max_of(const struct config_option *o)
{
	return o->min == 0 && o->max == 0 ? INT64_MAX : o->max;
}

void config_option_allowed(const struct config_option *o, struct strbuf *b)
{
	static const char *const names[] = {
	    [CONFIG_TEXT] = "a text",
	    [CONFIG_INT] = "a whole number",
	    [CONFIG_BOOL] = "true or false",
	    [CONFIG_DURATION] = "a duration such as 20ms, 5s, 10m, 2h or 30d",
	    [CONFIG_SIZE] = "a size such as 512K, 64M or 2G",
	    [CONFIG_CHOICE] = "one of ",
	    [CONFIG_LIST] = "a list of texts",
	};

	strbuf_addstr(b, names[o->type]);
	if (o->type == CONFIG_CHOICE) {
		for (const char *s = o->choices; *s; s++) {
			if (*s == '|')
				strbuf_addstr(b, ", ");
			else
				strbuf_addch(b, *s);
		}
	}
	if (o->type != CONFIG_INT && o->type != CONFIG_DURATION && o->type != CONFIG_SIZE)
		return;
	if (max_of(o) == INT64_MAX) {
		strbuf_addstr(b, ", at least ");
		add_amount(b, o->type, o->min);
	} else {
		strbuf_addstr(b, o->type == CONFIG_INT ? " from " : ", from ");
		add_amount(b, o->type, o->min);
		strbuf_addstr(b, " to ");
		add_amount(b, o->type, o->max);
	}
}

/* --- values from text ------------------------------------------------------------------------ */

static bool is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (const char *s = choices; s;) {
		const char *end = strchrnul(s, '|');

		if (str_equal((struct str){s, (size_t)(end - s)}, (struct str){text, len}))
			return true;
		s = *end ? end + 1 : NULL;
	}
	return false;
}

static bool parse_scalar(const struct config_option *o, const char *text, int64_t *ret)
{
	struct str s = str_from(text);
	bool flag = false;

	switch (o->type) {
	case CONFIG_INT:
		return parse_int64(s, o->min, max_of(o), ret, NULL) == 0;
	case CONFIG_BOOL:
		if (parse_bool(s, &flag, NULL) < 0)
			return false;
		*ret = flag;
		return true;
	case CONFIG_DURATION:
		return parse_duration(s, ret, NULL) == 0 && *ret >= o->min && *ret <= max_of(o);
	case CONFIG_SIZE:
		return parse_size(s, ret, NULL) == 0 && *ret >= o->min && *ret <= max_of(o);
	case CONFIG_CHOICE:
		return is_choice(o->choices, text);
	case CONFIG_TEXT:
	case CONFIG_LIST:
		break;
	}
	return true;
}

/* Splits at commas, white space around the parts dropped; "" is the empty list. */
static const char **split_list(struct arena *arena, const char *text)
{
	size_t n = 1, used = 0;
	const char **list;

	for (const char *s = text; *s; s++)
		n += *s == ',';
	list = arena_alloc(arena, (n + 1) * sizeof(*list));
	for (const char *s = text; s;) {
		const char *end = strchrnul(s, ',');
		struct str part = str_trim((struct str){s, (size_t)(end - s)});

		if (part.len)
			list[used++] = arena_strndup(arena, part.data, part.len);
		s = *end ? end + 1 : NULL;
	}
	return list;
}

static const char *join_list(struct arena *arena, const char *const *list)
{
	size_t len = 1;
	char *text, *s;

	for (const char *const *p = list; *p; p++)
		len += strlen(*p) + 2;
	text = s = arena_alloc(arena, len);
	for (const char *const *p = list; *p; p++) {
		s = stpcpy(s, p == list ? "" : ", ");
		s = stpcpy(s, *p);
	}
	return text;
}

static void keep(struct config *c, struct config_item *item, struct value v, const char *origin)
{
	item->value = item->option->flags & CONFIG_SECRET ? SECRET_SHOWN : v.text;
	item->origin = origin;
	c->values[index_of(c, item)] = v;
}

/* False when the text is not a value of the option. */
static bool set_value(struct config *c, struct config_item *item, const char *text,
		      const char *origin, bool is_set)
{
	struct value v = {.text = arena_strdup(&c->arena, text), .is_set = is_set};

	if (!parse_scalar(item->option, text, &v.number))
		return false;
	if (item->option->type == CONFIG_LIST) {
		v.list = split_list(&c->arena, text);
		v.text = join_list(&c->arena, v.list);
	}
	keep(c, item, v, origin);
	return true;
}

static int wrong_value(const struct config_option *o, const char *where, const char *found,
		       struct err *err)
{
	struct strbuf allowed = STRBUF_INIT(ERR_MESSAGE_MAX);
	int r;

	config_option_allowed(o, &allowed);
	r = err_set(err, ERR_INVALID_ARGUMENT, "%s: %s.%s must be %s; found %s", where, o->section,
		    o->name, strbuf_str(&allowed), found);
	strbuf_done(&allowed);
	(void)err_hint(err, "%s.%s: %s", o->section, o->name, o->help);
	return r;
}

/* What a value names must be there, for a person who asks what is wrong; a verb that needs none of
 * it is not held up. */
static int check_path(const struct config *c, const struct config_item *item, const char *where,
		      struct err *err)
{
	const struct config_option *o = item->option;
	const struct value *v = &c->values[index_of(c, item)];
	const char *const one[] = {v->text, NULL};

	if (!c->mistakes || !(o->flags & CONFIG_PATH) || o->flags & CONFIG_LATER)
		return 0;
	for (const char *const *p = o->type == CONFIG_LIST ? v->list : one; p && *p; p++) {
		if (!**p || access(*p, R_OK) == 0)
			continue;
		(void)err_set(err, errno == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND,
			      "%s: %s.%s: could not read \"%s\": %s", where, o->section, o->name,
			      *p, strerror(errno));
		return err_hint(err, "%s.%s: %s", o->section, o->name, o->help);
	}
	return 0;
}

/*
 * Whether "scheme://user:password@host/..." is what a URI looks like, also where the password has
 * characters in it that would have to be escaped: what it holds is told to nobody.
 */
static bool has_password(const char *uri)
{
	const char *scheme = strstr(uri, "://");
	const char *begin = scheme ? scheme + 3 : uri;
	size_t len = strcspn(begin, "?");
	const char *at = memrchr(begin, '@', len);
	const char *colon = memchr(begin, ':', len);

	/* An '@' behind a '?' belongs to an option, unless no option has begun. */
	if (!at && begin[len]) {
		size_t rest = strcspn(begin + len, "=@");

		at = begin[len + rest] == '@' ? begin + len + rest : NULL;
	}
	return at && colon && colon < at;
}

static int check_uri(const struct config_option *o, const char *where, const char *text,
		     struct err *err)
{
	if (!(o->flags & CONFIG_URI) || !has_password(text))
		return 0;
	(void)err_set(err, ERR_INVALID_ARGUMENT, "%s: %s.%s holds a password", where, o->section,
		      o->name);
	return err_hint(err,
			"leave user and password out of it, as it is shown and logged: set %s.user "
			"and %s.password_file",
			o->section, o->section);
}

/* --- tables ---------------------------------------------------------------------------------- */

static void take_tables(struct config *c, const struct config_option *const *tables)
{
	for (const struct config_option *const *t = tables; *t; t++)
		for (const struct config_option *o = *t; o->section; o++)
			c->len++;
	c->items = arena_alloc(&c->arena, c->len * sizeof(*c->items));
	c->values = arena_alloc(&c->arena, c->len * sizeof(*c->values));
	c->len = 0;
	for (const struct config_option *const *t = tables; *t; t++) {
		for (const struct config_option *o = *t; o->section; o++) {
			struct config_item *item = &c->items[c->len++];
			char *name = arena_printf(&c->arena, "%s.%s", o->section, o->name);
			void **slot = map_put(&c->by_name, str_from(name));

			bug_if(*slot); /* two options of one name */
			bug_if(o->type == CONFIG_CHOICE && !o->choices);
			*slot = item;
			item->option = o;
			item->origin = "default";
			bug_if(o->fallback && !set_value(c, item, o->fallback, "default", false));
		}
	}
}

/* Names for suggestions and hints, NULL-terminated, in the arena. */
static const char **section_names(struct config *c)
{
	const char **names = arena_alloc(&c->arena, (c->len + 1) * sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < c->len; i++) {
		const char *section = c->items[i].option->section;
		size_t k = 0;

		while (k < n && !cstr_equal(names[k], section))
			k++;
		if (k == n)
			names[n++] = section;
	}
	return names;
}

/* The options of a section, or all as "section.name" when it is NULL. */
static const char **option_names(struct config *c, const char *section)
{
	const char **names = arena_alloc(&c->arena, (c->len + 1) * sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < c->len; i++) {
		const struct config_option *o = c->items[i].option;

		if (!section)
			names[n++] = arena_printf(&c->arena, "%s.%s", o->section, o->name);
		else if (cstr_equal(o->section, section))
			names[n++] = o->name;
	}
	return names;
}

/* Another section that has an option of this name, or NULL. */
static const char *section_with(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->len; i++) {
		if (cstr_equal(c->items[i].option->name, name))
			return c->items[i].option->section;
	}
	return NULL;
}

/* --- file ------------------------------------------------------------------------------------ */

static const char *path_in_file(struct config *c, const char *text)
{
	const char *slash = strrchr(c->path, '/');

	if (!text[0] || text[0] == '/' || !slash)
		return text;
	return arena_printf(&c->arena, "%.*s/%s", (int)(slash - c->path), c->path, text);
}

static int set_list_from_file(struct config *c, struct config_item *item, const struct ynode *n,
			      const char *origin, struct err *err)
{
	struct value v = {.is_set = true};

	if (n->len > LIST_VALUES_MAX)
		return ynode_error(n, err, "the list has %zu values; at most %d are allowed",
				   n->len, LIST_VALUES_MAX);
	v.list = arena_alloc(&c->arena, (n->len + 1) * sizeof(*v.list));
	for (size_t i = 0; i < n->len; i++) {
		const char *text;

		if (ynode_text(&n->children[i], &text, err) < 0)
			return err ? -(int)err->code : -ERR_INVALID_ARGUMENT;
		if (item->option->flags & CONFIG_PATH)
			text = path_in_file(c, text);
		v.list[i] = arena_strdup(&c->arena, text);
	}
	v.text = join_list(&c->arena, v.list);
	keep(c, item, v, origin);
	return 0;
}

static int set_from_file(struct config *c, struct config_item *item, const struct ynode *n,
			 struct err *err)
{
	const struct config_option *o = item->option;
	const char *origin;
	char shown[TEXT_SHOWN_SIZE];
	char *where;

	if (ynode_is_null(n)) /* "port:" alone says nothing */
		return 0;
	origin = arena_printf(&c->arena, "%s:%zu", c->path, n->key_line);
	where = arena_printf(&c->arena, "%s:%zu:%zu", c->path, n->line, n->column);
	if (o->type == CONFIG_LIST && n->kind == YNODE_LIST) {
		int r = set_list_from_file(c, item, n, origin, err);

		return r < 0 ? r : check_path(c, item, where, err);
	}
	if (o->type != CONFIG_LIST && n->kind == YNODE_SCALAR) {
		const char *text = o->flags & CONFIG_PATH ? path_in_file(c, n->text) : n->text;
		int r = check_uri(o, where, text, err);

		if (r < 0)
			return r;
		if (set_value(c, item, text, origin, true))
			return check_path(c, item, where, err);
	}
	return wrong_value(o, where,
			   n->kind == YNODE_SCALAR && o->flags & CONFIG_SECRET
			       ? "another text"
			       : ynode_shown(n, shown),
			   err);
}

static int unknown_option(struct config *c, const struct ynode *section, const struct ynode *n,
			  struct err *err)
{
	const char **names = option_names(c, section->key);
	const char *near = cstr_nearest(n->key, names);
	const char *other = section_with(c, n->key);
	char shown[TEXT_SHOWN_SIZE];

	(void)text_shown(n->key, shown);
	if (near)
		(void)ynode_key_error(n, err, "%s is not an option of \"%s\"; did you mean \"%s\"?",
				      shown, section->key, near);
	else if (other)
		(void)ynode_key_error(n, err, "%s is not an option of \"%s\"; it is one of \"%s\"",
				      shown, section->key, other);
	else
		(void)ynode_key_error(n, err, "%s is not an option of \"%s\"", shown, section->key);
	return err_hint(err, "\"%s\" has %s", section->key,
			join_list(&c->arena, (const char *const *)names));
}

static int read_section(struct config *c, const struct ynode *section, bool *ret_secret,
			struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];

	if (ynode_is_null(section))
		return 0;
	if (section->kind != YNODE_MAP)
		return ynode_error(section, err, "\"%s\" must be a map of options, found %s",
				   section->key, ynode_shown(section, shown));
	for (size_t i = 0; i < section->len; i++) {
		const struct ynode *n = &section->children[i];
		const char *name = arena_printf(&c->arena, "%s.%s", section->key, n->key);
		struct config_item *item = find(c, name);
		int r = item ? set_from_file(c, item, n, err) : unknown_option(c, section, n, err);

		r = go_on(c, r, err);
		if (r < 0)
			return r;
		if (item && item->option->flags & CONFIG_SECRET &&
		    c->values[index_of(c, item)].is_set)
			*ret_secret = true;
	}
	return 0;
}

static int unknown_section(struct config *c, const char **sections, const struct ynode *n,
			   struct err *err)
{
	char shown[TEXT_SHOWN_SIZE];

	(void)ynode_key_error(n, err, "%s is not a section", text_shown(n->key, shown));
	(void)err_near(err, cstr_nearest(n->key, sections));
	return err_hint(err, "sections are %s",
			join_list(&c->arena, (const char *const *)sections));
}

static int read_doc(struct config *c, const struct ydoc *doc, bool *ret_secret, struct err *err)
{
	const struct ynode *root = ydoc_root(doc);
	const char **sections = section_names(c);
	char shown[TEXT_SHOWN_SIZE];

	if (root->kind != YNODE_MAP)
		return ynode_error(root, err, "a configuration is a map of sections, found %s",
				   ynode_shown(root, shown));
	for (size_t i = 0; i < root->len; i++) {
		const struct ynode *n = &root->children[i];
		const char **s = sections;
		int r;

		while (*s && !cstr_equal(*s, n->key))
			s++;
		r = *s ? read_section(c, n, ret_secret, err) : unknown_section(c, sections, n, err);
		r = go_on(c, r, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A file that holds a secret itself must be its owner's alone. */
static int check_mode(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 077))
		return 0;
	(void)err_set(err, ERR_PERMISSION,
		      "\"%s\" holds a secret, and others than its owner may read it (mode %03o)",
		      path, (unsigned)st.st_mode & 0777);
	return err_hint(err, "run chmod 600 on it, or name a file with the secret instead");
}

static int read_file(struct config *c, const char *path, struct err *err)
{
	_cleanup_(ydoc_freep) struct ydoc *doc = NULL;
	bool has_secret = false;
	int r;

	if (!path) {
		if (!file_exists(DEFAULT_FILE))
			return 0;
		path = DEFAULT_FILE;
	}
	c->path = arena_strdup(&c->arena, path);
	r = ydoc_load(path, &doc, err);
	if (r == 0)
		r = read_doc(c, doc, &has_secret, err);
	return r == 0 && has_secret ? check_mode(path, err) : r;
}

/* --- environment and flags ------------------------------------------------------------------- */

static int read_variable(struct config *c, struct config_item *item, struct err *err)
{
	const struct config_option *o = item->option;
	const char *text = o->environment ? getenv(o->environment) : NULL;
	const char *origin;
	char shown[TEXT_SHOWN_SIZE];
	int r;

	if (!text || !text[0])
		return 0;
	origin = arena_printf(&c->arena, "environment %s", o->environment);
	if (!utf8_is_valid(text, strlen(text)))
		return wrong_value(o, origin, "text that is not UTF-8", err);
	r = check_uri(o, origin, text, err);
	if (r < 0)
		return r;
	if (set_value(c, item, text, origin, true))
		return check_path(c, item, origin, err);
	return wrong_value(
	    o, origin, o->flags & CONFIG_SECRET ? "another text" : text_shown(text, shown), err);
}

static int unknown_flag(struct config *c, const char *name, struct err *err)
{
	const char *near = cstr_nearest(name, option_names(c, NULL));

	(void)err_set(err, ERR_INVALID_ARGUMENT,
		      "\"--%s\" is not an option of the configuration%s%s%s", name,
		      near ? "; did you mean \"--" : "", near ? near : "", near ? "\"?" : "");
	return err_hint(err, "\"aethermart config show\" lists all of them");
}

static int read_flag(struct config *c, const struct config_flag *flag, struct err *err)
{
	struct config_item *item = find(c, flag->name);
	char shown[TEXT_SHOWN_SIZE], where[64];
	int r;

	if (!item)
		return unknown_flag(c, flag->name, err);
	if (item->option->flags & CONFIG_SECRET) {
		(void)err_set(err, ERR_INVALID_ARGUMENT,
			      "--%s: a secret is not taken from the command line, where every user "
			      "of this machine can read it",
			      flag->name);
		if (item->option->environment)
			return err_hint(err, "set the environment variable %s instead",
					item->option->environment);
		return err_hint(err, "put it into the configuration file, mode 600");
	}
	snprintf(where, sizeof(where), "--%.60s", flag->name);
	if (!utf8_is_valid(flag->value, strlen(flag->value)))
		return wrong_value(item->option, where, "text that is not UTF-8", err);
	r = check_uri(item->option, where, flag->value, err);
	if (r < 0)
		return r;
	if (set_value(c, item, flag->value, "flag", true))
		return check_path(c, item, where, err);
	return wrong_value(item->option, where, text_shown(flag->value, shown), err);
}

/* --- public ---------------------------------------------------------------------------------- */

static struct config *config_new(const struct config_option *const *tables)
{
	struct config *c = MEM_NEW(struct config);

	take_tables(c, tables);
	return c;
}

static int read_all(struct config *c, const char *path, const struct config_flag *flags,
		    size_t n_flags, struct err *err)
{
	int r = go_on(c, read_file(c, path, err), err);

	for (size_t i = 0; i < c->len && r == 0; i++)
		r = go_on(c, read_variable(c, &c->items[i], err), err);
	for (size_t i = 0; i < n_flags && r == 0; i++)
		r = go_on(c, read_flag(c, &flags[i], err), err);
	return r;
}

int config_load(const struct config_option *const *tables, const char *path,
		const struct config_flag *flags, size_t n_flags, struct config **ret,
		struct err *err)
{
	_cleanup_(config_freep) struct config *c = config_new(tables);
	int r = read_all(c, path, flags, n_flags, err);

	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

void config_check(const struct config_option *const *tables, const char *path,
		  const struct config_flag *flags, size_t n_flags,
		  struct config_mistakes *ret_mistakes, struct config **ret)
{
	struct config *c = config_new(tables);
	struct err err = {0};

	*ret_mistakes = (struct config_mistakes){0};
	c->mistakes = ret_mistakes;
	bug_if(read_all(c, path, flags, n_flags, &err) < 0);
	c->mistakes = NULL;
	*ret = c;
}

void config_mistakes_done(struct config_mistakes *m)
{
	mem_free(m->items);
	*m = (struct config_mistakes){0};
}

int config_parse(const struct config_option *const *tables, const char *file, const char *text,
		 size_t len, struct config **ret, struct err *err)
{
	_cleanup_(config_freep) struct config *c = config_new(tables);
	_cleanup_(ydoc_freep) struct ydoc *doc = NULL;
	bool has_secret = false;
	int r = ydoc_parse(file, text, len, &doc, err);

	if (r < 0)
		return r;
	c->path = arena_strdup(&c->arena, file);
	r = read_doc(c, doc, &has_secret, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	map_done(&c->by_name);
	arena_done(&c->arena);
	mem_free(c);
	return NULL;
}

static const struct value *value_of(const struct config *c, const char *name, unsigned types)
{
	const struct config_item *item = find(c, name);

	bug_if(!item);
	bug_if(!(types & 1U << item->option->type));
	return &c->values[index_of(c, item)];
}

const char *config_text(const struct config *c, const char *name)
{
	return value_of(c, name, 1U << CONFIG_TEXT | 1U << CONFIG_CHOICE)->text;
}

int64_t config_int(const struct config *c, const char *name)
{
	return value_of(c, name, 1U << CONFIG_INT | 1U << CONFIG_DURATION | 1U << CONFIG_SIZE)
	    ->number;
}

bool config_bool(const struct config *c, const char *name)
{
	return value_of(c, name, 1U << CONFIG_BOOL)->number != 0;
}

const char *const *config_list(const struct config *c, const char *name)
{
	static const char *const none[] = {NULL};
	const struct value *v = value_of(c, name, 1U << CONFIG_LIST);

	return v->list ? v->list : none;
}

bool config_is_set(const struct config *c, const char *name)
{
	return value_of(c, name, ~0U)->is_set;
}

const char *config_file_path(const struct config *c)
{
	return c->path;
}

size_t config_items(const struct config *c, const struct config_item **ret)
{
	*ret = c->items;
	return c->len;
}
