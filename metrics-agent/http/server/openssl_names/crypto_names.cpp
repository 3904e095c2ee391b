// Has the name "libcrypto.so" and loads libcrypto.so.3: see ssl_names.cpp.
