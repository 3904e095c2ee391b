#include "libshared/wire/link.hpp"

#include <fmt/format.h>

#include <msgpack.hpp>

namespace mdpipe::wire {
namespace {

constexpr std::uint32_t kHeaderFields = 10;
constexpr std::uint32_t kPositionFields = 10;

// Far more than a header needs, and small enough to be harmless: array, map, str, bin, ext, depth.
const msgpack::unpack_limit kLimits(16, 0, kSourceCharsMax, 0, 0, 4);

Error protocol_error(std::string_view what, std::string_view why) {
  return Error{ErrorKind::Protocol, fmt::format("{} refused: {}", what, why)};
}

// Unpacks an array that starts with our version; `what` names it in errors.
Result<msgpack::object_handle> unpack_versioned(std::string_view bytes, std::uint32_t fields,
                                                std::string_view what) {
  msgpack::object_handle handle;
  try {
    handle = msgpack::unpack(bytes.data(), bytes.size(), nullptr, nullptr, kLimits);
  } catch (const std::exception& error) {
    return protocol_error(what, fmt::format("not msgpack as mdpipe writes it ({})", error.what()));
  }
  const msgpack::object& object = handle.get();
  if (object.type != msgpack::type::ARRAY || object.via.array.size == 0)
    return protocol_error(what, "not an array");
  const msgpack::object& version = object.via.array.ptr[0];
  if (version.type != msgpack::type::POSITIVE_INTEGER)
    return protocol_error(what, "no wire version in front");
  if (version.via.u64 != kWireVersion) {
    return protocol_error(
        what, fmt::format("wire version {} where this program speaks {}; run the same mdpipe release on "
                          "both sides",
                          version.via.u64, kWireVersion));
  }
  if (object.via.array.size != fields) {
    return protocol_error(what, fmt::format("{} fields instead of {}", object.via.array.size, fields));
  }
  return handle;
}

}  // namespace

void encode(const BatchHeader& header, ByteBuffer& out) {
  msgpack::packer<ByteBuffer> packer(out);
  packer.pack_array(kHeaderFields);
  packer.pack(kWireVersion);
  packer.pack(header.source);
  packer.pack(header.epoch);
  packer.pack(header.first_seq);
  packer.pack(header.count);
  packer.pack(header.oldest);
  packer.pack(header.follows);
  packer.pack(header.confirmed);
  packer.pack(header.sent_ns);
  packer.pack(header.closes);
}

void encode(const Position& position, ByteBuffer& out) {
  msgpack::packer<ByteBuffer> packer(out);
  packer.pack_array(kPositionFields);
  packer.pack(kWireVersion);
  packer.pack(position.instance);
  packer.pack(position.epoch);
  packer.pack(position.confirmed);
  packer.pack(position.accepted);
  packer.pack(position.redis_up);
  packer.pack(position.lost_after);
  packer.pack(position.lost_to);
  packer.pack(position.refused);
  packer.pack(position.closed);
}

Result<BatchHeader> decode_batch_header(std::string_view bytes) {
  const auto handle = unpack_versioned(bytes, kHeaderFields, "batch header");
  if (!handle) return handle.error();
  const msgpack::object* field = handle.value().get().via.array.ptr;
  try {
    BatchHeader header;
    header.source = field[1].as<std::string>();
    header.epoch = field[2].as<std::uint64_t>();
    header.first_seq = field[3].as<std::uint64_t>();
    header.count = field[4].as<std::uint32_t>();
    header.oldest = field[5].as<std::uint64_t>();
    header.follows = field[6].as<std::uint64_t>();
    header.confirmed = field[7].as<std::uint64_t>();
    header.sent_ns = field[8].as<std::int64_t>();
    header.closes = field[9].as<bool>();
    return header;
  } catch (const msgpack::type_error&) {
    return protocol_error("batch header", "a field has the wrong type");
  }
}

Result<Position> decode_position(std::string_view bytes) {
  const auto handle = unpack_versioned(bytes, kPositionFields, "position");
  if (!handle) return handle.error();
  const msgpack::object* field = handle.value().get().via.array.ptr;
  try {
    Position position;
    position.instance = field[1].as<std::uint64_t>();
    position.epoch = field[2].as<std::uint64_t>();
    position.confirmed = field[3].as<std::uint64_t>();
    position.accepted = field[4].as<std::uint64_t>();
    position.redis_up = field[5].as<bool>();
    position.lost_after = field[6].as<std::uint64_t>();
    position.lost_to = field[7].as<std::uint64_t>();
    position.refused = field[8].as<bool>();
    position.closed = field[9].as<bool>();
    return position;
  } catch (const msgpack::type_error&) {
    return protocol_error("position", "a field has the wrong type");
  }
}

}  // namespace mdpipe::wire
