/*
 * Functions that this code base does not use, because a safer one exists: the compiler refuses
 * them. Last include of every .c file. base/mem.c alone leaves it out: it wraps the allocator.
 */
#pragma once

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok gets
#pragma GCC poison atoi atol atoll localtime gmtime ctime asctime
#pragma GCC poison malloc calloc realloc free strdup strndup
