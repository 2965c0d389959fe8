// SPDX-License-Identifier: MIT
//
// The twelve replaceable operators delete of C++, which hold who calls them to what they say: by
// what the block was made, how large and how aligned it is.
//
// compiled with: MEND_HARDENED
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
  front_free(block, &(struct block_claim){.kind = KIND_NEW});
}

MEND_EXPORT void _ZdaPv(void *block)
{
  front_free(block, &(struct block_claim){.kind = KIND_NEW_ARRAY});
}

MEND_EXPORT void _ZdlPvm(void *block, size_t size)
{
  front_free(block, &(struct block_claim){.kind = KIND_NEW, .has_size = true, .size = size});
}

MEND_EXPORT void _ZdaPvm(void *block, size_t size)
{
  front_free(block, &(struct block_claim){.kind = KIND_NEW_ARRAY, .has_size = true, .size = size});
}

MEND_EXPORT void _ZdlPvSt11align_val_t(void *block, size_t alignment)
{
  front_free(block, &(struct block_claim){.kind = KIND_NEW, .alignment = alignment});
}

MEND_EXPORT void _ZdaPvSt11align_val_t(void *block, size_t alignment)
{
  front_free(block, &(struct block_claim){.kind = KIND_NEW_ARRAY, .alignment = alignment});
}

MEND_EXPORT void _ZdlPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
  front_free(block, &(struct block_claim){
                        .kind = KIND_NEW, .has_size = true, .size = size, .alignment = alignment});
}

MEND_EXPORT void _ZdaPvmSt11align_val_t(void *block, size_t size, size_t alignment)
{
  front_free(block,
             &(struct block_claim){
                 .kind = KIND_NEW_ARRAY, .has_size = true, .size = size, .alignment = alignment});
}

MEND_EXPORT void _ZdlPvRKSt9nothrow_t(void *block, const void *nothrow)
{
  (void)nothrow;
  front_free(block, &(struct block_claim){.kind = KIND_NEW});
}

MEND_EXPORT void _ZdaPvRKSt9nothrow_t(void *block, const void *nothrow)
{
  (void)nothrow;
  front_free(block, &(struct block_claim){.kind = KIND_NEW_ARRAY});
}

MEND_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  front_free(block, &(struct block_claim){.kind = KIND_NEW, .alignment = alignment});
}

MEND_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *block, size_t alignment,
                                                     const void *nothrow)
{
  (void)nothrow;
  front_free(block, &(struct block_claim){.kind = KIND_NEW_ARRAY, .alignment = alignment});
}
