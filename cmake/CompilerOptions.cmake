# Warnings are errors in our own code; dependencies come in as system includes and are exempt.
add_library(mdpipe_options INTERFACE)
target_include_directories(mdpipe_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(mdpipe_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -fstack-protector-strong
  -UNDEBUG  # our assertions, about our own mistakes, stay on in release builds
  # g++ 12 raises a false alarm inside fmt 9 once fmt's own assertions are on.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
target_compile_definitions(mdpipe_options INTERFACE _GLIBCXX_ASSERTIONS MSGPACK_NO_BOOST)
# In instrumented code g++'s flow analysis raises false alarms, and the sanitizers cannot see through fortified functions.
if(NOT MDPIPE_SANITIZE)
  target_compile_options(mdpipe_options INTERFACE -Werror)
  target_compile_definitions(mdpipe_options INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_options(mdpipe_options INTERFACE -Wl,-z,relro,-z,now)

if(MDPIPE_SANITIZE)
  # The sanitizers' own advice: -O2 takes twice as long to compile, and with -O0 the programs do not keep up with their tests.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1")
  add_compile_options(-fsanitize=${MDPIPE_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${MDPIPE_SANITIZE})
  if(MDPIPE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(MDPIPE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # asio uses atomic_thread_fence, which TSan only notes
  endif()
endif()

# One object library per concept; SOURCES, then LINK with what it needs.
function(mdpipe_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE mdpipe_options PUBLIC ${ARG_LINK})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

find_program(MDPIPE_CCACHE ccache)
if(MDPIPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MDPIPE_CCACHE})
endif()
