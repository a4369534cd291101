/* What the files of token.h share. */
#pragma once

#include "govern/token.h"

#define TOKEN_HASH_SIZE 32

void token_hash(struct str text, unsigned char ret[TOKEN_HASH_SIZE]);
