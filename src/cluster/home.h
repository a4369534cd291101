/*
 * Whether a folder is a run-time folder of aethermart, and the one that it was made as.
 *
 * Its file aethermart.home holds its own path. Without it a folder is somebody else's, whatever
 * stack.dir says: nothing in it is made, changed or deleted. With another path it was copied or
 * moved. A copy must not be used: its pid files match the original's processes, its links lead to
 * the original's data. A moved folder is used, and told its new path.
 *
 * Thread-safe. Paths are absolute, without links (endpoint_var_dir()).
 */
#pragma once

#include "base/mem.h"

enum home_state {
	HOME_ABSENT,
	HOME_EMPTY, /* nothing is in it, so it can become one */
	HOME_OWN,
	HOME_MOVED,    /* where it was there is none any more */
	HOME_UNMARKED, /* of a version that left no mark: by its stack.json */
	HOME_COPY,     /* the original is still there */
	HOME_FOREIGN,  /* other things are in it */
};

/* What it is. HOME_COPY and HOME_FOREIGN are errors, ERR_CONFLICT. Changes nothing. `ret` may be
 * NULL. */
int home_check(const char *dir, enum home_state *ret, struct err *err) _must_check_;

/* Makes it a run-time folder, private, when it is absent or empty; takes a moved one over. Errors
 * as home_check(). */
int home_claim(const char *dir, struct err *err) _must_check_;
