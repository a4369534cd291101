/*
 * The same rules in MongoDB: roles, accounts and views of the documents' database.
 *
 * A field of a document is seen as the columns are of which it is made: the role may read their
 * tables, those of the document and of each object and array around it, and its clearance shows
 * their classes. A role to which all of a collection is plain may
 * find in the collection. Any other reads a view of it, COLLECTION_ROLE, whose pipeline is one
 * inclusive $project: what the mapping does not own is not in it, nor what is counted or constant.
 * Masks are those of MariaDB where the field is a text or a date of the document itself; nested
 * fields are plain or left out. Pseudonyms are left out: MongoDB has no HMAC, and a view's
 * definition is no place for a key. Nobody may write but who has everything.
 *
 * Fail closed: whether a server keeps an account to its rights is tried (access_mongo_probe), as
 * there are some that judge by database alone or not all commands. Where it does not, only people
 * who have everything get an account; roles and views are made all the same. Nor does one whom the
 * file lets come from one host alone: an account here would let them come from any.
 *
 * Names are "database.name", as MongoDB's own _id of a role or user. What was made here is recorded
 * in MariaDB's table Access_Objects.
 *
 * A plan is immutable; a diff belongs to its caller. One thread.
 */
#pragma once

#include "govern/access.h"
#include "store/mongo.h"

struct access_mongo_server {
	struct mongo *mongo; /* of an account that may make users and roles; pool_max 1 is enough */
	const struct mongo_options *options; /* with which it was opened */
	struct maria *records;		     /* the shop's database */
};

/*
 * Tries it with a role and an account of random names and passwords, which are gone afterwards;
 * what a killed call has left is removed by the next one. `ret_breach`: what that account could do
 * beyond its rights, for people, or NULL: nothing. ERR_PERMISSION: our account may not make others.
 */
int access_mongo_probe(const struct access_mongo_server *s, const char **ret_breach,
		       struct err *err) _must_check_;

struct access_mongo {
	struct arena arena;
	const struct access *access;
	const char *database, *users; /* of the documents; where accounts are */
	const char *breach;	      /* of the probe */
	size_t n_withheld;	      /* people who get no account for it */
	size_t n_bound;		    /* people who get none because the file binds them to a host */
	struct access_items wanted; /* of a view: `sql` is its definition as JSON */
};

/* What has to be, of a bound file and its mappings. `breach` as the probe gave it. */
int access_mongo_plan(const struct access *a, const struct mapping_set *set,
		      const struct access_mongo_server *s, const char *breach,
		      struct access_mongo *ret, struct err *err) _must_check_;
void access_mongo_done(struct access_mongo *a);

/* As access_compare(), access_apply(), access_remove(); `sql` of a difference is a line of mongosh.
 */
int access_mongo_compare(const struct access_mongo *a, const struct access_mongo_server *s,
			 struct access_diff *ret, struct err *err) _must_check_;
int access_mongo_apply(const struct access_mongo *a, const struct access_mongo_server *s,
		       const struct access_apply *how, size_t *ret_changes, struct err *err)
    _must_check_;
int access_mongo_remove(const struct access *a, struct maria *m, struct mongo *mongo,
			struct err *err) _must_check_;
