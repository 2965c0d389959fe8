// SPDX-License-Identifier: MIT
//
// The twelve replaceable operators delete of C++. They are free, and pass on what they know
// besides: by what the block was made, how large and how aligned it is. The hardened build, and
// exact tracking, hold who calls them to that.
#include "api/front.h"
#include "mend/mend.h"

MEND_EXPORT void _ZdlPv(void *block);
MEND_EXPORT void _ZdaPv(void *block);
MEND_EXPORT void _ZdlPvm(void *block, size_t size);
MEND_EXPORT void _ZdaPvm(void *block, size_t size);
MEND_EXPORT void _ZdlPvSt11align_val_t(void *block, size_t alignment);
MEND_EXPORT void _ZdaPvSt11align_val_t(void *block, size_t alignment);
MEND_EXPORT void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment);
MEND_EXPORT void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t alignment);
MEND_EXPORT void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow);
MEND_EXPORT void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow);
MEND_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                     const void *nothrow);
MEND_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                     const void *nothrow);

MEND_EXPORT void _ZdlPv(void *block)
{
  front_free_as(block, KIND_NEW, false, 0, 0);
}

MEND_EXPORT void _ZdaPv(void *block)
{
  front_free_as(block, KIND_NEW_ARRAY, false, 0, 0);
}

MEND_EXPORT void _ZdlPvm(void *block, size_t size)
{
  front_free_as(block, KIND_NEW, true, size, 0);
}

MEND_EXPORT void _ZdaPvm(void *block, size_t size)
{
  front_free_as(block, KIND_NEW_ARRAY, true, size, 0);
}

MEND_EXPORT void _ZdlPvSt11align_val_t(void *block, size_t alignment)
{
  front_free_as(block, KIND_NEW, false, 0, alignment);
}

MEND_EXPORT void _ZdaPvSt11align_val_t(void *block, size_t alignment)
{
  front_free_as(block, KIND_NEW_ARRAY, false, 0, alignment);
}

MEND_EXPORT void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
  front_free_as(block, KIND_NEW, true, size, alignment);
}

MEND_EXPORT void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
  front_free_as(block, KIND_NEW_ARRAY, true, size, alignment);
}

MEND_EXPORT void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow)
{
  (void)nothrow;
  front_free_as(block, KIND_NEW, false, 0, 0);
}

MEND_EXPORT void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow)
{
  (void)nothrow;
  front_free_as(block, KIND_NEW_ARRAY, false, 0, 0);
}

MEND_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  front_free_as(block, KIND_NEW, false, 0, alignment);
}

MEND_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  front_free_as(block, KIND_NEW_ARRAY, false, 0, alignment);
}
