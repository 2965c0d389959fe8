// SPDX-License-Identifier: MIT
//
// The twelve replaceable operators delete of C++. All are free: what they know beyond the address
// is not needed. (The hardened build looks at it: operator_delete_hardened.c.)
#include "api/override.h"

OVERRIDE(_ZdlPv, mend_free);
OVERRIDE(_ZdaPv, mend_free);
OVERRIDE(_ZdlPvm, mend_free);
OVERRIDE(_ZdaPvm, mend_free);
OVERRIDE(_ZdlPvSt11align_val_t, mend_free);
OVERRIDE(_ZdaPvSt11align_val_t, mend_free);
OVERRIDE(_ZdlPvmSt11align_val_t, mend_free);
OVERRIDE(_ZdaPvmSt11align_val_t, mend_free);
OVERRIDE(_ZdlPvRKSt9nothrow_t, mend_free);
OVERRIDE(_ZdaPvRKSt9nothrow_t, mend_free);
OVERRIDE(_ZdlPvSt11align_val_tRKSt9nothrow_t, mend_free);
OVERRIDE(_ZdaPvSt11align_val_tRKSt9nothrow_t, mend_free);
