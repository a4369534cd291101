/*
 * What the index keeps of a document: the texts of its fields, the values of its attributes, and
 * what a hit shows besides; as the rules say.
 *
 * A record is made from a document, written as bytes into the collection's file
 * (search_store.h), and read from there again. Thread-safe: nothing is kept.
 */
#pragma once

#include "search/search_columns.h"

#define SEARCH_RECORD_MAX ((size_t)1 << 20) /* bytes */
#define SEARCH_DATA_MAX	  2048		    /* values of one document */

struct search_record { /* texts belong to the arena, or are the bytes that were read */
	struct str title;
	struct str texts[SEARCH_FIELDS_MAX];
	struct str shown[SEARCH_SHOWN_MAX];
	struct search_datum *data; /* those of an attribute, and of a member, together */
	size_t n_data;
};

void search_record_make(const struct search_collection *c, const bson_t *doc, struct arena *arena,
			struct search_record *ret);
/* ERR_LIMIT: it is larger than SEARCH_RECORD_MAX. */
int search_record_write(const struct search_collection *c, const struct search_record *r,
			struct strbuf *b, struct err *err) _must_check_;
/* ERR_CORRUPTED: the bytes are no record of these rules. */
int search_record_read(const struct search_collection *c, struct str bytes, struct arena *arena,
		       struct search_record *ret, struct err *err) _must_check_;
#define SEARCH_SHOWN_JOINT '\x1f' /* between the values of a list that is shown */
/* Takes the next value off a list. */
struct str search_shown_next(struct str *rest);

/* Only how long the texts of its fields are. False: it is damaged. */
bool search_record_lengths(struct str bytes, size_t n_fields, uint32_t *ret);
