// Included before every source of a library that CMake calls PURE (cmake/CompilerOptions.cmake): such code
// opens no socket and reads no clock, and these names are errors in it.
#include "libshared/time/time.hpp"

#pragma GCC poison asio zmq wall_now steady_now moment_now
