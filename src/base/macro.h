/*
 * Compiler attributes and the few macros that C needs to be pleasant: scope-bound cleanup, moves
 * of ownership, array length.
 */
#pragma once

#include <stddef.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _must_check_   __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))
#define _noreturn_     __attribute__((noreturn))

/* Number of elements of an array (not of a pointer). */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Moves a pointer out of a variable: the variable becomes NULL, the value is returned. */
#define TAKE_PTR(p)                                \
	({                                         \
		__typeof__(p) *take_pp_ = &(p);    \
		__typeof__(p) take_p_ = *take_pp_; \
		*take_pp_ = NULL;                  \
		take_p_;                           \
	})

/* Defines name##p(T **) for use with _cleanup_, calling fn on a non-NULL pointer. */
#define DEFINE_CLEANUP(type, fn)                               \
	static inline _unused_ void fn##p(__typeof__(type) *p) \
	{                                                      \
		if (*p)                                        \
			(void)fn(*p);                          \
	}
