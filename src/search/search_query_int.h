/*
 * Insides of understanding a query, in the order in which they work: a text becomes tokens
 * (search_query_lex.c), phrases of them are looked up (search_vocabulary.c), the grammar makes
 * drafts of constraints (search_query.c, numbers in search_query_number.c), the drafts are judged
 * together (search_query_judge.c), and what is left becomes the answer (search_query_answer.c).
 */
#pragma once

#include "base/map.h"
#include "search/search_query.h"

#define QUERY_PHRASE_MAX 6  /* words of a phrase that a vocabulary knows */
#define QUERY_WORD_MAX	 64 /* bytes of a folded word; a longer one is cut at a character */
#define QUERY_DRAFTS_MAX 48
#define QUERY_VALUES_MAX 16 /* of a draft */

/* --- tokens ---------------------------------------------------------------------------------- */

enum query_kind {
	QUERY_WORD,
	QUERY_NUMBER, /* 16, 3.0, 1,299.99 */
	QUERY_MIXED,  /* rtx4060, 16gb; `number` where it is digits and then letters */
	QUERY_SIGN,   /* $ € £ < <= > >= ~ + % = ★, and " for inches */
};

/* What stands before a token: the strongest of it. */
enum query_gap {
	QUERY_GLUED,
	QUERY_SPACE,
	QUERY_SLASH,
	QUERY_HYPHEN, /* and dashes */
	QUERY_COLON,
	QUERY_DOTS,  /* two: a range */
	QUERY_BREAK, /* comma, full stop, brackets, the begin */
};

/* Words that join others, by what they do. */
enum query_class {
	QUERY_DET = 1,	/* "the", "some" */
	QUERY_PREP = 2, /* "for": what follows is not what is looked for */
	QUERY_CONJ = 4, /* "and" */
	QUERY_AUX = 8,	/* "is", "which", "should" */
};

struct query_token {
	uint32_t start, end;   /* bytes of the query */
	uint16_t at, len;      /* of query.folded */
	uint16_t kin, kin_len; /* of query.singular */
	uint16_t letters;      /* MIXED: bytes before its letters */
	uint8_t quote;	       /* of which quotes, from 1; 0: none */
	enum query_kind kind;
	enum query_gap gap;
	uint8_t class;
	bool is_minus; /* "-word" */
	bool is_upper;
	bool has_number; /* NUMBER and MIXED: `number` is one */
	double number;
};

struct query_text {
	struct str s; /* valid UTF-8 without control characters */
	size_t n;
	struct query_token t[SEARCH_QUERY_WORDS_MAX];
	/* The words of all tokens, with a space between two that are not glued: a phrase is a slice
	 * of it. The second has each word in singular. */
	size_t len, kin_len;
	char folded[SEARCH_QUERY_WORDS_MAX * (QUERY_WORD_MAX + 1)];
	char singular[SEARCH_QUERY_WORDS_MAX * (QUERY_WORD_MAX + 1)];
};

/* `s` has to live as long; `ret` is overwritten. */
void query_lex(struct str s, struct query_text *ret);
/* A copy that is valid UTF-8; control characters and marks of direction become spaces. */
struct str query_clean(struct str s, struct arena *arena);
struct str query_folded(const struct query_text *q, size_t first, size_t n);
struct str query_singular(const struct query_text *q, size_t first, size_t n);

/* --- vocabulary ------------------------------------------------------------------------------ */

enum entry_kind {
	ENTRY_NAME = 1,	       /* of an attribute: "ram" */
	ENTRY_VALUE = 2,       /* of an attribute */
	ENTRY_MEANING = 4,     /* a word for a range of an attribute */
	ENTRY_MORE = 8,	       /* "longer" */
	ENTRY_LESS = 16,       /* "cheaper" */
	ENTRY_ORDER = 32,      /* "cheapest" */
	ENTRY_UNIT = 64,       /* "gb" */
	ENTRY_QUALITY = 128,   /* "quiet" */
	ENTRY_NOISE = 256,     /* "products" */
	ENTRY_COMPARE = 512,   /* "under", "at least" */
	ENTRY_AFTER = 1024,    /* behind a number: "or more" */
	ENTRY_NEGATION = 2048, /* "without" */
	ENTRY_NUMBER = 4096,   /* "twenty" */
	ENTRY_MOST = 8192,     /* "highest", before the name of an attribute */
};

enum query_op {
	OP_NONE,
	OP_BELOW,
	OP_AT_MOST,
	OP_ABOVE,
	OP_AT_LEAST,
	OP_ABOUT,
	OP_EQUAL,
	OP_BETWEEN, /* "between A and B", "from A to B" */
};

/* What an ENTRY_COMPARE may be said of. */
enum query_said {
	SAID_OF_NUMBER = 1,
	SAID_OF_DATE = 2,
	SAID_OF_BOTH = 3,
	SAID_OF_MONEY = 4, /* "budget" */
	SAID_BEHIND = 16,  /* "or more", by what stood behind the number */
	SAID_FROM = 8,	   /* "from 100 to 200", "from $50", "from 2020", "from Sony" */
};

enum query_negation {
	NEGATION_NOT,	  /* "not", "except" */
	NEGATION_WITHOUT, /* "without", "no": of a part */
};

/* One thing that a phrase may mean. */
struct entry {
	struct entry *next; /* of the same phrase */
	enum entry_kind kind;
	uint16_t attribute;   /* in the rules */
	bool is_rule;	      /* the rules say so, and not only the catalogue */
	bool is_descending;   /* ORDER */
	bool needs_case;      /* VALUE: of two letters, only as it is written */
	uint32_t documents;   /* VALUE */
	double share;	      /* VALUE: of the documents with its rarest word, 0..1 */
	const char *value;    /* VALUE: as the catalogue writes it */
	double min, max;      /* MEANING */
	double number;	      /* UNIT: the factor; NUMBER: the value */
	enum query_op op;     /* COMPARE, AFTER */
	enum query_said said; /* COMPARE */
	enum query_negation negation;
};

/* The words of the grammar: see search_query_words.c. */
struct query_grammar_word {
	const char *phrase;
	struct entry entry;
};
extern const struct query_grammar_word query_grammar[];
extern const size_t query_grammar_len;

struct search_vocabulary {
	struct arena arena;
	const struct search_collection *rules;
	struct map phrases; /* folded phrase -> struct entry, a list */
	struct map kinds;   /* phrase in singular -> ENTRY_VALUE of attributes that are kinds */
	struct map near; /* what is left of a word without one letter -> struct near_word, a list */
	struct map words;  /* words that are no misspelling though they look like one */
	size_t phrase_max; /* words of the longest */
	int money;	   /* attribute of numbers without a unit; -1: none */
	int date;	   /* attribute of dates without a name; -1: none */
};

/* Entries of those kinds. */
const struct entry *entry_of(const struct entry *e, unsigned kinds);
/* What a misspelled word was meant to be, all its values; NULL: nothing. */
const struct entry *vocabulary_near(const struct search_vocabulary *v, struct str folded,
				    struct str singular);

/* --- drafts ---------------------------------------------------------------------------------- */

enum draft_kind {
	DRAFT_VALUES,
	DRAFT_NUMBERS,
	DRAFT_DATES,
	DRAFT_MEANING, /* numbers that a word stands for: its bounds are values already */
};

struct draft {
	enum draft_kind kind;
	uint16_t first, end;	       /* tokens */
	uint16_t kept_first, kept_end; /* those that name the value */
	int attribute;		       /* -1: by its unit, judged later */
	bool is_negated;
	bool is_named;	  /* with the attribute's name */
	bool is_compared; /* with a comparison, or a range */
	bool is_explicit; /* "from Sony" */
	bool is_joined;	  /* "keyboard and mouse" */
	bool is_near;	  /* misspelled */
	bool is_dead;	  /* judged to be words */
	/* VALUES */
	size_t n_values;
	const struct entry *values[QUERY_VALUES_MAX];
	/* Others: bounds as they are written, and the units of each; NULL: none. */
	double min, max;
	bool is_min_open, is_max_open;
	bool is_about; /* a number alone, that values around it go with */
	bool is_fifth; /* "around 50": a fifth below to a fifth above */
	const struct entry *min_unit, *max_unit;
	/* Judged. */
	enum search_ask ask;
	double certainty;
	bool keeps_words;
	uint32_t bit;
};

enum token_use {
	USE_NONE,
	USE_DRAFT,
	USE_ORDER,
	USE_DROPPED,
	USE_QUOTED,
	USE_EXCLUDED,
};

struct query_exclusion {
	uint16_t first, end; /* tokens that are excluded */
};

#define QUERY_KINDS_MAX 16

struct query {
	const struct search_vocabulary *v;
	struct arena *arena;
	struct query_text text;
	/* What phrases of 1.. words that begin at a token mean. */
	const struct entry *phrases[SEARCH_QUERY_WORDS_MAX][QUERY_PHRASE_MAX];
	const struct entry *kinds[SEARCH_QUERY_WORDS_MAX][QUERY_PHRASE_MAX];
	/* Phrases that name kinds, wherever they stand: what measures may be of. */
	size_t n_kinds;
	const struct entry *named_kinds[QUERY_KINDS_MAX];
	uint8_t use[SEARCH_QUERY_WORDS_MAX];
	uint8_t draft[SEARCH_QUERY_WORDS_MAX]; /* USE_DRAFT: which */
	size_t n_drafts, n_exclusions;
	struct draft drafts[QUERY_DRAFTS_MAX];
	struct query_exclusion exclusions[SEARCH_QUERY_WORDS_MAX / 2];
	int order; /* attribute; -1: none */
	bool order_is_descending;
	uint16_t order_first, order_end;
};

/* The longest phrase at a token that has an entry of those kinds, and its words; 0: there is none.
 * Phrases do not reach over breaks, quotes and what is in use. */
size_t query_longest(const struct query *q, size_t at, unsigned kinds, const struct entry **ret);
/* The longest phrase that names values, of what things are or of what they have. */
size_t query_longest_value(const struct query *q, size_t at, const struct entry **ret);
/* The next value of a phrase that is of the same attribute. */
const struct entry *query_next_value(const struct entry *e);
/* A free draft, with its tokens in use; NULL: there are too many. */
struct draft *query_add(struct query *q, enum draft_kind kind, size_t first, size_t end);
/* Whether the token is there, not in use, and this word. */
bool query_is_word(const struct query *q, size_t at, const char *word);
bool query_is_free(const struct query *q, size_t at);
const struct search_attribute *query_attribute(const struct query *q, size_t attribute);
/* Whether the attribute's `within` has a value that a phrase names. */
bool query_is_within(const struct search_attribute *a, const struct search_attribute *of,
		     const struct entry *e);
/* Whether a unit measures what the query names a kind of. */
bool query_measures(const struct query *q, const struct entry *unit);

/* A comparison, a range, a measure, or a date at a token: makes a draft, and returns the tokens
 * that it takes; 0: there is none. */
size_t query_number(struct query *q, size_t at);
void query_judge(struct query *q);
void query_answer(struct query *q, const struct search_understanding *how,
		  struct search_understood *ret);
