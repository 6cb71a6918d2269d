#include "server/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace attune {

// Where the kernel refuses, there is nothing to do about it.
void HardenProcess() {
  const rlimit none{0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

}  // namespace attune
