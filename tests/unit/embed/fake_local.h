/*
 * A local model for tests of what stands around one: links in place of embed_local.c. The vector of
 * a text is made of its hash, 8 numbers when embed.dimension says nothing else, of length 5 to show
 * that the dispatcher brings it to 1.
 */
#pragma once

#include "embed/embed_int.h"

#define FAKE_DIMENSION 8

struct fake {
	unsigned calls;
	size_t texts;	    /* of all calls */
	size_t last_n;	    /* of the last call */
	char last_text[64]; /* the first of the last call, cut */
	unsigned fail_from; /* calls from this number on (1, 2, …) fail; 0: none */
	float bad;	    /* what the first number of the last text becomes, when `is_bad` */
	bool is_bad, is_zero;
	bool is_remote;
	bool had_dir;		 /* embed.dir was set when it was opened */
	void (*hook)(void *arg); /* runs within a call */
	void *arg;
};
extern struct fake fake;
