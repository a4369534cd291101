/* Insides of the rules, shared by search_rules.c (collections, texts, binding),
 * search_rules_fields.c (fields and attributes) and search_rules_similar.c. */
#pragma once

#include "base/ydoc.h"
#include "search/search_rules.h"

/* Readers of a key; what is not there leaves `ret` alone. */
int search_rules_number(const struct ynode *map, const char *key, double max, double *ret,
			struct err *err) _must_check_;
int search_rules_text(const struct ynode *map, const char *key, const char **ret, struct err *err)
    _must_check_;
int search_rules_bool(const struct ynode *map, const char *key, bool *ret, struct err *err)
    _must_check_;
/* A text, or a list of them, which may not be empty. */
int search_rules_texts(struct arena *arena, const struct ynode *n, const char ***ret, size_t *ret_n,
		       struct err *err) _must_check_;
/* `parts:` of a map; `what` names the map in messages ("a text"). */
int search_rules_parts(struct arena *arena, const struct ynode *map, const char *what,
		       struct search_part **ret, size_t *ret_n, struct err *err) _must_check_;

/* Compares each part's path with what the mapping produces; `list` is the parts' node. */
int search_rules_bind_parts(const struct mapping *m, const struct ynode *list,
			    const struct search_part *parts, size_t n, struct err *err)
    _must_check_;
/* The path has to hold values or, for pairs, an object; `at` is where an error shows. */
int search_rules_bind_path(const struct mapping *m, const char *path, bool is_pairs,
			   const struct ynode *at, struct err *err) _must_check_;
/* What is personal at these paths: "free_text (title, text)"; NULL when nothing is. */
const char *search_rules_pii(struct arena *arena, const struct mapping *m, const char *const *paths,
			     size_t n);
/* The same of parts. */
const char *search_rules_pii_of_parts(struct arena *arena, const struct mapping *m,
				      const struct search_part *parts, size_t n);

/* `fields:` and `attributes:` of a collection's node. */
int search_rules_read_columns(struct arena *arena, const struct ynode *n,
			      struct search_collection *c, struct err *err) _must_check_;
int search_rules_bind_columns(struct arena *arena, const struct mapping *m, const struct ynode *n,
			      struct search_collection *c, struct err *err) _must_check_;

/* `similar:` and `recommend:`, after the columns (search_rules_similar.c). */
int search_rules_read_similar(struct arena *arena, const struct ynode *n,
			      struct search_collection *c, struct err *err) _must_check_;
/* What is personal is known only now. */
void search_rules_bind_similar(struct arena *arena, const struct mapping *m,
			       struct search_collection *c);
