/*
 * What others have, too: see erase_sought_share().
 *
 * Each classed value of each other subject is folded as the search folds it and looked up among the
 * texts. What is equal is shared. What somebody's longer word begins or ends with is noted, too:
 * in bytes that are no text nothing else tells "ann.lee@" from "joann.lee@". What is left of
 * somebody that is gone is nobody's.
 */
#include "govern/erase_int.h"

#include "govern/erase_match_int.h"

#include "base/banned.h"

struct own { /* a text of the person */
	struct erase_text *text;
	struct str folded;
	struct own *next; /* of the same form and another kind */
};

struct sharing {
	struct arena arena;
	struct erase_sought *s;
	size_t n;
	struct own *own;
	struct map by_form;
	struct strbuf form; /* of a value */
};

static void sharing_done(struct sharing *g)
{
	strbuf_done(&g->form);
	map_done(&g->by_form);
	arena_done(&g->arena);
}

static void add_form(struct strbuf *b, enum erase_kind kind, struct str text)
{
	if (kind == ERASE_PHONE)
		erase_digits(b, text);
	else
		erase_fold(b, text);
}

static void index_own(struct sharing *g)
{
	g->own = arena_alloc(&g->arena, (g->s->n + 1) * sizeof(*g->own));
	for (size_t i = 0; i < g->s->n; i++) {
		struct own *own = &g->own[i];
		void **slot;

		strbuf_clear(&g->form);
		add_form(&g->form, g->s->texts[i].kind, g->s->texts[i].text);
		*own = (struct own){.text = &g->s->texts[i],
				    .folded = arena_str(&g->arena, strbuf_slice(&g->form))};
		slot = map_put(&g->by_form, own->folded);
		own->next = *slot;
		*slot = own;
	}
}

/* Nobody has an e-mail address or a key of the feed by chance. */
static bool may_be_shared(enum erase_kind kind)
{
	return kind != ERASE_EMAIL && kind != ERASE_KEY;
}

/* Where the longer word goes on. Of what somebody wrote there are too many, and all are long. */
static void note_longer(struct sharing *g, enum erase_kind kind, struct str in)
{
	for (size_t i = 0; i < g->s->n && kind != ERASE_WRITTEN; i++) {
		struct own *own = &g->own[i];
		struct str rest = in;
		const char *at;

		if (own->text->kind != kind || !own->folded.len)
			continue;
		while ((at = memmem(rest.data, rest.len, own->folded.data, own->folded.len))) {
			size_t from = (size_t)(at - in.data), to = from + own->folded.len;

			own->text->flags |= erase_word_ends(in, from) ? ERASE_LEFT : 0;
			own->text->flags |= erase_word_begins(in, to) ? ERASE_RIGHT : 0;
			rest = (struct str){at + 1, in.len - from - 1};
		}
	}
}

static void mark_shared(struct sharing *g, enum erase_kind kind, struct str value)
{
	strbuf_clear(&g->form);
	add_form(&g->form, kind, erase_begin_of(value));
	for (struct own *own = map_get(&g->by_form, strbuf_slice(&g->form)); own; own = own->next)
		if (own->text->kind == kind && may_be_shared(kind) &&
		    own->text->left_out == ERASE_SEARCHED)
			own->text->left_out = ERASE_SHARED;
}

static void compare(void *arg, enum erase_kind kind, struct str value)
{
	struct sharing *g = arg;
	struct str rest = value;
	const char *end;

	/* Who has one name alone shares it with everybody of whose name it is a part. */
	while (kind == ERASE_NAME && (end = memchr(rest.data, ERASE_PART, rest.len))) {
		mark_shared(g, kind, (struct str){rest.data, (size_t)(end - rest.data)});
		rest = (struct str){end + 1, rest.len - (size_t)(end + 1 - rest.data)};
	}
	if (rest.len < value.len)
		mark_shared(g, kind, rest);
	mark_shared(g, kind, value);
	note_longer(g, kind, strbuf_slice(&g->form));
}

int erase_sought_share(const struct eraser *e, const char *subject, struct erase_sought *s,
		       struct err *err)
{
	_cleanup_(sharing_done) struct sharing g = {.s = s};
	int r = 0;

	index_own(&g);
	for (size_t i = 0; i < e->schema->n_tables && r == 0; i++) {
		const struct schema_table *t = &e->schema->tables[i];

		if (!t->is_view && schema_find_column(t, e->a->subject_key))
			r = erase_each_text(e,
					    &(struct erase_rows_of){
						.table = t, .subject = subject, .is_others = true},
					    compare, &g, err);
	}
	return r;
}
