/*
 * Huge pages by advice: see pages.h. A mapping begins anywhere, so one page more is asked for and
 * what lies before and behind the aligned part is given back. Where the kernel has no huge pages,
 * or none left, the memory is the same in small ones.
 */
#include "base/pages.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/banned.h"

#define PAGE	  ((size_t)4 << 10)
#define HUGE_PAGE ((size_t)2 << 20) /* of x86-64 and of most others */

static size_t rounded(size_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

int pages_map(size_t size, bool wants_huge, void **ret, struct err *err)
{
	size_t need = rounded(size), before;
	char *p;

	if (need < size || need > SIZE_MAX - HUGE_PAGE)
		return err_set(err, ERR_NO_MEMORY, "%zu bytes are beyond all memory", size);
	p = mmap(NULL, need + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	if (p == MAP_FAILED)
		return err_set(err, ERR_NO_MEMORY, "could not get %zu bytes of memory: %s", size,
			       strerror(errno));
	before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
	if (before)
		(void)munmap(p, before);
	(void)munmap(p + before + need, HUGE_PAGE - before);
	if (wants_huge)
		(void)madvise(p + before, need, MADV_HUGEPAGE); /* without it: slower */
	*ret = p + before;
	return 0;
}

void pages_unmap(void *p, size_t size)
{
	if (p)
		(void)munmap(p, rounded(size));
}
