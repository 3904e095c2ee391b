#include "libshared/transport/curve_key.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mdpipe::transport {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CurveKeyTest : public testing::Test {
 protected:
  CurveKeyTest() {
    char name[] = "/tmp/mdpipe-keys-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~CurveKeyTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  std::string pair_error(const std::string& path) const {
    const auto read = read_key_pair(path);
    return read ? "good" : read.error().message;
  }

  std::string folder_;
  KeyPair keys_ = make_key_pair();
};

TEST_F(CurveKeyTest, a_certificate_reads_back) {
  const auto secret = read_key_pair(file("a.key_secret", certificate_text("a", keys_)));
  ASSERT_TRUE(secret && secret.value());
  EXPECT_EQ(secret.value()->public_key, keys_.public_key);
  EXPECT_EQ(secret.value()->secret_key, keys_.secret_key);
  const std::string open = certificate_text("a", {keys_.public_key, {}});
  EXPECT_THAT(open, Not(HasSubstr("secret")));
  EXPECT_EQ(read_public_key("publisher-key-file", file("a.key", open)).value(), keys_.public_key);
}

TEST_F(CurveKeyTest, no_file_and_no_credential_is_no_key) {
  unsetenv("CREDENTIALS_DIRECTORY");
  const auto none = read_key_pair("");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none.value());
  file("curve_key", certificate_text("a", keys_), 0444);  // what systemd makes, its folder is closed
  setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(read_key_pair("").value()->secret_key, keys_.secret_key);
  unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(CurveKeyTest, a_secret_that_others_may_read_or_that_is_none_is_refused_with_the_remedy) {
  const std::string text = certificate_text("a", keys_);
  EXPECT_THAT(pair_error(file("open", text, 0644)), HasSubstr("chmod 600"));
  EXPECT_EQ(pair_error(file("group", text, 0640)), "good") << "of a service's group";
  EXPECT_THAT(pair_error(file("public", certificate_text("a", {keys_.public_key, {}}))),
              AllOf(HasSubstr("holds no secret key"), HasSubstr("key_secret")));
  EXPECT_THAT(pair_error(folder_ + "/missing"), HasSubstr("--curve-key-file"));
  EXPECT_THAT(pair_error(file("short", "public-key = \"abc\"\nsecret-key = \"abc\"")),
              HasSubstr("no secret"));
  EXPECT_THAT(pair_error(file("unclosed", "secret-key = \"abc")), HasSubstr("no secret"));
  EXPECT_THAT(pair_error(file("cut", text.substr(0, text.size() - 20))),
              AllOf(HasSubstr("no secret"), Not(HasSubstr(keys_.secret_key.substr(0, 10)))));
}

TEST_F(CurveKeyTest, a_folder_of_peers_is_named_by_its_files) {
  const KeyPair other = make_key_pair();
  file("reader-1.key", certificate_text("x", {keys_.public_key, {}}));
  file("reader-2.key", certificate_text("x", {other.public_key, {}}));
  file("note.txt", "no key");
  const auto peers = read_peer_keys("curve-peers-dir", folder_);
  ASSERT_TRUE(peers);
  EXPECT_EQ(peers.value(), (PeerKeys{{keys_.public_key, "reader-1"}, {other.public_key, "reader-2"}}));
  file("broken.key", "no key");
  EXPECT_THAT(read_peer_keys("curve-peers-dir", folder_).error().message, HasSubstr("broken.key"));
  EXPECT_THAT(read_peer_keys("curve-peers-dir", folder_ + "/missing").error().message,
              HasSubstr("--curve-peers-dir"));
}

}  // namespace
}  // namespace mdpipe::transport
