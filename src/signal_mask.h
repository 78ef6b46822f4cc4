#ifndef GENPOLL_SIGNAL_MASK_H_
#define GENPOLL_SIGNAL_MASK_H_

#include "addon.h"

namespace genpoll::signal_mask {

// Ends this environment's claims on blocked signals, as if its SignalFds had been closed.
void ReleaseAll(State& state);

}  // namespace genpoll::signal_mask

#endif  // GENPOLL_SIGNAL_MASK_H_
