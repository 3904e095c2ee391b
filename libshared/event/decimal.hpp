#pragma once
// Prices and sizes as the exact decimal text the exchange wrote. Nothing here ever converts to floating
// point.
#include <cstddef>
#include <string_view>

namespace mdpipe {

// The longest number text that is accepted. The longest one seen on any exchange has 24 characters.
inline constexpr std::size_t kDecimalCharsMax = 64;

// True for JSON's number grammar ("-12.50", "1e-08") of at most kDecimalCharsMax characters.
bool is_decimal(std::string_view text);

// How many characters at the front of `text` are a JSON number; 0 if it does not start with one.
std::size_t decimal_length(std::string_view text);

// Compares two texts that is_decimal accepts, by value: negative, zero or positive as a < b, a == b, a > b.
int compare_decimals(std::string_view a, std::string_view b);

// True for "0", "0.000", "-0e5": a size that removes a book level.
bool is_zero(std::string_view decimal);

}  // namespace mdpipe
