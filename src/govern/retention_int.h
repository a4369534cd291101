/* What the files of retention.h share. */
#pragma once

#include "govern/retention.h"

/* Of kinds that are no tables (retention_files.c). */
int retention_look_at_files(const struct retention_place *p, const struct retention_store *s,
			    struct retention_size *ret, struct err *err) _must_check_;
int retention_purge_files(const struct retention_place *p, const struct retention_store *s,
			  bool is_dry, uint64_t *ret_n, struct err *err) _must_check_;

/* A size that was measured: `at` is seconds from now, below 0 in the past; the oldest first. */
struct retention_point {
	int64_t at;
	uint64_t bytes;
};
/* The forecast of retention_foresee(). Pure. */
void retention_fit(const struct retention_point *points, size_t n, uint64_t free_bytes,
		   struct retention_forecast *ret);
