# MDPIPE_COMMIT: the commit that is built, "unknown" outside a git checkout.
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE MDPIPE_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE MDPIPE_GIT_RC)
if(NOT MDPIPE_GIT_RC EQUAL 0)
  set(MDPIPE_COMMIT unknown)
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.hpp.in ${PROJECT_BINARY_DIR}/generated/mdpipe_version.hpp @ONLY)
add_library(mdpipe_version INTERFACE)
target_include_directories(mdpipe_version INTERFACE ${PROJECT_BINARY_DIR}/generated)
