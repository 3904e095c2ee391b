#pragma once
// A price as an integer in units of 10^-18: exact, and fast to compare, add and double. Only to sort books;
// published prices keep the exchange's text.
#include <optional>

#include "libshared/event/event.hpp"

namespace mdpipe::reader {

// The only spelling that both compilers accept with -Wpedantic.
__extension__ typedef __int128 PriceKey;  // NOLINT(modernize-use-using)

// `text` must satisfy is_decimal. Nothing if it has more than 18 decimals or more than 19 digits before the
// point; no real price has.
std::optional<PriceKey> price_key(Decimal text);

// The number of decimals without trailing zeros: 2 for "0.250", 0 for "100.0".
int decimals_of(Decimal text);
// The key of one unit of the last of so many decimals, at most 18.
PriceKey unit_of(int decimals);

}  // namespace mdpipe::reader
