/* Preloaded into the micro-benchmarks: counts allocations. cc -O2 -shared -fPIC -o malloc-count.so malloc-count.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

static unsigned long count;
static void *(*next)(size_t);

unsigned long apus_allocations(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }

void *malloc(size_t size) {
    if (!next) next = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
    return next(size);
}
