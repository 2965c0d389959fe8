// SPDX-License-Identifier: MIT
//
// The names under which programs know malloc: each is another name of the mend_ function, at the
// same address. They carry no symbol version (a version on `malloc` would keep it from being found
// before the C library's), and strdup and its like are not among them: they call malloc.
#include "api/override.h"

OVERRIDE(malloc, mend_malloc);
OVERRIDE(calloc, mend_calloc);
OVERRIDE(realloc, mend_realloc);
OVERRIDE(free, mend_free);
OVERRIDE(cfree, mend_cfree);
OVERRIDE(reallocarray, mend_reallocarray);
OVERRIDE(free_sized, mend_free_sized);
OVERRIDE(free_aligned_sized, mend_free_aligned_sized);
OVERRIDE(aligned_alloc, mend_aligned_alloc);
OVERRIDE(memalign, mend_memalign);
OVERRIDE(posix_memalign, mend_posix_memalign);
OVERRIDE(valloc, mend_valloc);
OVERRIDE(pvalloc, mend_pvalloc);
OVERRIDE(malloc_usable_size, mend_malloc_usable_size);
OVERRIDE(malloc_trim, mend_malloc_trim);
OVERRIDE(mallopt, mend_mallopt);
OVERRIDE(mallinfo, mend_mallinfo);
OVERRIDE(mallinfo2, mend_mallinfo2);
OVERRIDE(malloc_stats, mend_malloc_stats);
OVERRIDE(malloc_info, mend_malloc_info);

// What old programs and parts of the C library itself call.
OVERRIDE(__libc_malloc, mend_malloc);
OVERRIDE(__libc_calloc, mend_calloc);
OVERRIDE(__libc_realloc, mend_realloc);
OVERRIDE(__libc_free, mend_free);
OVERRIDE(__libc_cfree, mend_cfree);
OVERRIDE(__libc_memalign, mend_memalign);
OVERRIDE(__libc_valloc, mend_valloc);
OVERRIDE(__libc_pvalloc, mend_pvalloc);
OVERRIDE(__posix_memalign, mend_posix_memalign);
