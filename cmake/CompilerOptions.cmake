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
  if(CMAKE_UNITY_BUILD)
    # A class of a source file may have members from that file's anonymous namespace; g++ takes the file for a header when another includes it.
    target_compile_options(mdpipe_options INTERFACE -Wno-subobject-linkage)
  endif()
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

# mdpipe_library(NAME [PURE] SOURCES ... LINK ...): one static library a folder. PURE is for code that decides: it gets bytes, facts and
# the time as arguments, and a source of it that reads a clock or names Asio or ZeroMQ does not compile (cmake/pure.hpp).
function(mdpipe_library name)
  cmake_parse_arguments(ARG "PURE" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE mdpipe_options PUBLIC ${ARG_LINK})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  if(ARG_PURE)
    target_compile_options(${name} PRIVATE "SHELL:-include ${PROJECT_SOURCE_DIR}/cmake/pure.hpp")
  endif()
endfunction()

find_program(MDPIPE_CCACHE ccache)
if(MDPIPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MDPIPE_CCACHE})
endif()
