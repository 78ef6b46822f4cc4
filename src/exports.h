#ifndef GENPOLL_EXPORTS_H_
#define GENPOLL_EXPORTS_H_

#include "addon.h"
#include "node_api.h"

// What each file contributes to the module. The tables stand with the functions, so that a function
// and the glue that Node-API calls are compiled into one.

namespace genpoll {

using Function = napi_value (*)(napi_env, napi_callback_info);

struct Export {
  const char* name;
  Function function;
};

// Ends with a null name.
extern const Export kEpollExports[];
extern const Export kInterestExports[];
extern const Export kHostLoopExports[];
extern const Export kHostPollExports[];
extern const Export kFdExports[];
extern const Export kEventfdExports[];
extern const Export kTimerfdExports[];
extern const Export kPidfdExports[];
extern const Export kSignalfdExports[];
extern const Export kSignalMaskExports[];
extern const Export kProbeExports[];
extern const Export kSameFileExports[];
extern const Export kAddressExports[];
extern const Export kSocketExports[];
extern const Export kMessageExports[];

}  // namespace genpoll

#endif  // GENPOLL_EXPORTS_H_
