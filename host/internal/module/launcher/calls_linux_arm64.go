package launcher

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// archRefused are this processor's own; it has no older names for what is refused.
var archRefused []uint32
