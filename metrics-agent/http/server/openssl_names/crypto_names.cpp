// Bears the name "libcrypto.so" and brings libcrypto.so.3: see ssl_names.cpp.
