#pragma once
// A price as an integer of units of 10^-18: exact, and quick to compare, add and double. For keeping books in
// order; what is published stays the exchange's text.
#include <optional>

#include "libshared/event/event.hpp"

namespace mdpipe::reader {

// The one spelling that both compilers take under -Wpedantic.
__extension__ typedef __int128 PriceKey;  // NOLINT(modernize-use-using)

// `text` is one that is_decimal accepts. Nothing where it has more than 18 decimals or more than 19 digits
// before the point, which no price has.
std::optional<PriceKey> price_key(Decimal text);

// How many decimals the text's value has, zeros at its end not counted: 2 for "0.250", 0 for "100.0".
int decimals_of(Decimal text);
// The key of one unit of the last of so many decimals, at most 18.
PriceKey unit_of(int decimals);

}  // namespace mdpipe::reader
