# Cross-builds for 64-bit Arm: g++ of Debian's package g++-aarch64-linux-gnu, the libraries in MDPIPE_SYSROOT, which scripts/sysroot.sh
# unpacks. What the build runs of its own programs (completions, tests) runs in qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(MDPIPE_DEBIAN_ARCHITECTURE arm64)

set(MDPIPE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../build-arm64/sysroot CACHE PATH "Libraries for 64-bit Arm: scripts/sysroot.sh arm64 FOLDER")
get_filename_component(MDPIPE_SYSROOT ${MDPIPE_SYSROOT} ABSOLUTE)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MDPIPE_SYSROOT)
if(NOT EXISTS ${MDPIPE_SYSROOT}/usr/lib/aarch64-linux-gnu)
  message(FATAL_ERROR "${MDPIPE_SYSROOT} has no libraries for 64-bit Arm: run scripts/sysroot.sh arm64 ${MDPIPE_SYSROOT}")
endif()

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_SYSROOT ${MDPIPE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${MDPIPE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${MDPIPE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${MDPIPE_SYSROOT}/usr/share/pkgconfig)

find_program(MDPIPE_QEMU NAMES qemu-aarch64-static qemu-aarch64 REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${MDPIPE_QEMU} -L ${MDPIPE_SYSROOT})
