#include "md-publisher/writer/cluster/slots.hpp"

#include <gtest/gtest.h>

namespace mdpipe::publisher {
namespace {

// The check value of CRC-16/XMODEM, and what Redis 7.0 says to CLUSTER KEYSLOT.
TEST(Slots, are_those_of_redis) {
  EXPECT_EQ(slot_of("123456789"), 0x31C3);
  EXPECT_EQ(slot_of("md:trade"), 11'429);
  EXPECT_EQ(slot_of(""), 0);
}

TEST(Slots, follow_what_is_in_the_first_braces) {
  EXPECT_EQ(hash_tag("{user1000}.following"), "user1000");
  EXPECT_EQ(hash_tag("foo{}{bar}"), "foo{}{bar}");
  EXPECT_EQ(hash_tag("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(hash_tag("foo{bar}{zap}"), "bar");
  EXPECT_EQ(hash_tag("foo{bar"), "foo{bar");
}

TEST(Slots, cursors_are_in_the_slot_of_their_streams) {
  EXPECT_EQ(cursor_key_beside("md:cursor", "md:trade"), "md:cursor:{md:trade}");
  EXPECT_EQ(cursor_key_beside("md:cursor", "md:{gmo}:trade"), "md:cursor:{gmo}");
  for (const auto* key : {"md:trade", "md:{gmo}:trade", "a}b", "{}", "x{}}y"})
    EXPECT_EQ(slot_of(cursor_key_beside("md:cursor", key)), slot_of(key)) << key;
}

TEST(Redirect, says_where_to_go) {
  const auto moved = parse_redirect("MOVED 3999 127.0.0.1:6381");
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->is_ask);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->to, (HostPort{"127.0.0.1", "6381"}));
  EXPECT_TRUE(parse_redirect("ASK 1 ::1:6381")->is_ask);
  EXPECT_EQ(parse_redirect("ASK 1 ::1:6381")->to.host, "::1");
  EXPECT_EQ(parse_redirect("MOVED 1 :6381")->to.host, "");
  for (const auto* line :
       {"", "MOVED", "MOVED x h:1", "MOVED 16384 h:1", "MOVED 1 h", "TRYAGAIN 1 h:1", "CLUSTERDOWN"})
    EXPECT_FALSE(parse_redirect(line)) << line;
}

// As Redis 7.0.15 prints it.
constexpr const char* kNodes =
    "07c37d 127.0.0.1:30004@40004 slave e7d1ee 0 1426238317239 4 connected\n"
    "67ed2d 127.0.0.1:30002@40002 master - 0 1426238316232 2 connected 5461-10922 [5461->-e7d1ee]\n"
    "292f8b 127.0.0.1:30003@40003,some.host,shard-id=69bc master - 0 1426238318243 3 connected 10923-16382 "
    "16383\n"
    "6ec239 127.0.0.1:30005@40005 master,fail - 1426238316232 1426238316232 5 disconnected 0-5460\n"
    "e7d1ee :30001@40001 myself,master - 0 0 1 connected 0-5460\n";

TEST(SlotMap, is_read_from_cluster_nodes) {
  SlotMap map;
  ASSERT_TRUE(map.read(kNodes, {"10.0.0.1", "30001"}));
  EXPECT_EQ(*map.owner(0), (HostPort{"10.0.0.1", "30001"}));
  EXPECT_EQ(*map.owner(5461), (HostPort{"127.0.0.1", "30002"}));
  EXPECT_EQ(*map.owner(16'383), (HostPort{"127.0.0.1", "30003"}));
  EXPECT_EQ(map.nodes().size(), 4U);  // a replica can be asked for the map too, a failed master cannot
  EXPECT_TRUE(map.has_slots({"127.0.0.1", "30003"}));
  EXPECT_FALSE(map.has_slots({"127.0.0.1", "30004"}));
  EXPECT_FALSE(map.has_slots({"127.0.0.1", "30005"}));
}

TEST(SlotMap, knows_a_node_by_its_address_and_by_the_name_it_announces) {
  const HostPort address{"127.0.0.1", "30003"}, name{"some.host", "30003"};
  SlotMap by_address;
  by_address.read(kNodes, {"10.0.0.1", "30001"});
  EXPECT_EQ(by_address.known_as(name), address);
  SlotMap by_name(SlotMap::Prefer::Name);
  by_name.read(kNodes, {"10.0.0.1", "30001"});
  EXPECT_EQ(*by_name.owner(16'383), name);
  EXPECT_EQ(*by_name.owner(5461), (HostPort{"127.0.0.1", "30002"}));  // announces none
  EXPECT_EQ(by_name.known_as(address), name);
  EXPECT_TRUE(by_name.has_slots(address));
  by_name.move(7, address);
  EXPECT_EQ(*by_name.owner(7), name);
  EXPECT_EQ(by_name.known_as({"h", "1"}), (HostPort{"h", "1"}));
}

TEST(SlotMap, follows_moves_and_forgets_them_with_the_next_map) {
  SlotMap map;
  EXPECT_EQ(map.owner(7), nullptr);
  map.move(7, {"h", "1"});
  EXPECT_EQ(*map.owner(7), (HostPort{"h", "1"}));
  EXPECT_FALSE(map.read("garbage\n\n1 2 3", {"h", "1"}));
  EXPECT_EQ(map.owner(7), nullptr);
}

}  // namespace
}  // namespace mdpipe::publisher
