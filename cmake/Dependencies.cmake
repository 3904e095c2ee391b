# Every third-party package, found in one place. Debian's names; scripts/packages.sh installs them.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(simdjson REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(cppzmq REQUIRED)
find_package(msgpack REQUIRED)  # Debian's package name for msgpack-c's C++ headers
find_package(prometheus-cpp REQUIRED)
find_package(civetweb REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(CURL REQUIRED)

# Without this definition, simdjson's classes have another size in code that is compiled without optimization. The tests with
# sanitizers are compiled without optimization, but the libraries that they link are optimized.
target_compile_definitions(simdjson::simdjson INTERFACE SIMDJSON_DEVELOPMENT_CHECKS=0)

# Debian's Hiredis CMake config is broken in 0.14; pkg-config's is right.
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)

# Header-only without a CMake target of their own.
find_path(MDPIPE_ASIO_INCLUDE_DIR asio.hpp REQUIRED)
find_path(MDPIPE_WEBSOCKETPP_INCLUDE_DIR websocketpp/client.hpp REQUIRED)
find_path(MDPIPE_PROTOZERO_INCLUDE_DIR protozero/pbf_builder.hpp REQUIRED)

# Texts are std::string_view in its interface; every user has to see the same.
add_library(mdpipe_protozero INTERFACE)
target_include_directories(mdpipe_protozero SYSTEM INTERFACE ${MDPIPE_PROTOZERO_INCLUDE_DIR})
target_compile_definitions(mdpipe_protozero INTERFACE PROTOZERO_USE_VIEW=std::string_view)

# Standalone Asio, one event loop on one thread in each process.
add_library(mdpipe_asio INTERFACE)
target_include_directories(mdpipe_asio SYSTEM INTERFACE ${MDPIPE_ASIO_INCLUDE_DIR})
# Asio 1.22 decides in each file whether to use aligned_alloc, by the standard headers that were included before it. Two files
# could then allocate and free the same memory in different ways. With this definition, no file uses aligned_alloc.
target_compile_definitions(mdpipe_asio INTERFACE ASIO_STANDALONE ASIO_DISABLE_STD_ALIGNED_ALLOC)
target_link_libraries(mdpipe_asio INTERFACE Threads::Threads)

# crypt(3); Debian's libcrypt-dev comes with libc6-dev.
find_library(MDPIPE_CRYPT_LIBRARY crypt REQUIRED)
add_library(mdpipe_crypt INTERFACE)
target_link_libraries(mdpipe_crypt INTERFACE ${MDPIPE_CRYPT_LIBRARY})

add_library(mdpipe_websocketpp INTERFACE)
target_include_directories(mdpipe_websocketpp SYSTEM INTERFACE ${MDPIPE_WEBSOCKETPP_INCLUDE_DIR})
target_link_libraries(mdpipe_websocketpp INTERFACE mdpipe_asio OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB)
