/*
 * hnswlib's filtered search from C++, with one query a call.
 *
 * Its Python binding calls a function of Python for each candidate, which says more of Python than of
 * hnswlib. This is the same search on an index that the binding has saved, with the filter as a
 * bitmap. Built against the headers of the same version; see peers.py.
 */
#include "hnswlib/hnswlib.h"

#include <cstdint>
#include <exception>

namespace {

struct bitmap_filter : hnswlib::BaseFilterFunctor {
	const uint8_t *bits;

	explicit bitmap_filter(const uint8_t *b) : bits(b) {}
	bool operator()(hnswlib::labeltype id) override { return bits[id >> 3] >> (id & 7) & 1; }
};

struct opened {
	hnswlib::InnerProductSpace space;
	hnswlib::HierarchicalNSW<float> graph;

	opened(const char *path, size_t dimension) : space(dimension), graph(&space, path) {}
};

} // namespace

extern "C" {

/* NULL when the file cannot be read. */
void *filter_open(const char *path, size_t dimension)
{
	try {
		return new opened(path, dimension);
	} catch (const std::exception &) {
		return nullptr;
	}
}

/* How many it found; `ids` has room for k. */
size_t filter_search(void *handle, const float *query, size_t k, size_t ef, const uint8_t *bits,
		     int64_t *ids)
{
	auto *index = static_cast<opened *>(handle);
	bitmap_filter filter(bits);

	index->graph.setEf(ef);
	auto found = index->graph.searchKnn(query, k, &filter);
	const size_t n = found.size();
	for (size_t at = n; at-- > 0; found.pop())
		ids[at] = static_cast<int64_t>(found.top().second);
	return n;
}
}
