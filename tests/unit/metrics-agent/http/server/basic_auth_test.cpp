#include "metrics-agent/http/server/basic_auth.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace mdpipe::agent {
namespace {

// Of the password "right", made with `openssl passwd -6 -salt saltsalt` and, as bcrypt, with crypt(3).
constexpr char kSha512[] =
    "$6$saltsalt$gzY3OAolfMFSB9Ld7iMdOQlViFqO3IOPeU0zkHsD.58tcMxRAFD0Qjfi2sjus3i.8aqWarEvFPREqzp18Jm291";
constexpr char kSlow[] =  // takes some tens of milliseconds
    "$6$rounds=200000$saltsalt$v2UwbCFAouHDmReun5YhFhoUHm4osEKkgS1ZAcgsrT/4rF9MdURV2bvsZaRi7yvzzDsyszEE."
    "FdUx0xknbtlN1";
constexpr char kBcrypt[] = "$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC";
constexpr char kRight[] = "Basic c2NyYXBlcjpyaWdodA==";  // scraper:right
constexpr char kWrong[] = "Basic c2NyYXBlcjp3cm9uZw==";  // scraper:wrong

PasswordFile file_with(const std::string& hash) {
  return PasswordFile::parse("# who may\n\nscraper:" + hash + "\r\n", "passwords").value();
}

TEST(BasicAuth, credentials_of_a_header) {
  const auto credentials = parse_basic("bAsIc  YTpiOmM=");
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->user, "a");
  EXPECT_EQ(credentials->password, "b:c");
  for (const char* header : {"", "Basic", "Basic ", "Basic !", "Bearer YTpi",
                             "Basic YWI=", "Basic YTpi=", "Basic =", "Basic ====", "Basic YToA"})
    EXPECT_FALSE(parse_basic(header)) << header;
  EXPECT_FALSE(parse_basic("Basic " + std::string(4000, 'Y')));
}

TEST(BasicAuth, only_the_right_password_of_the_user_fits) {
  for (const char* hash : {kSha512, kBcrypt}) {
    const PasswordFile file = file_with(hash);
    EXPECT_TRUE(file.verify({"scraper", "right"}));
    EXPECT_FALSE(file.verify({"scraper", "wrong"}));
    EXPECT_FALSE(file.verify({"scraper", ""}));
    EXPECT_FALSE(file.verify({"other", "right"}));
    EXPECT_FALSE(file.verify({"", "right"}));
  }
}

TEST(BasicAuth, a_file_that_is_none_is_refused_without_its_secret) {
  const std::string good = "a:" + std::string(kSha512);
  for (const std::string& text :
       {std::string(), std::string("# only this\n"), std::string("a\n"), std::string(":") + kSha512,
        std::string("a:secret"), std::string("a:$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"),
        std::string("a:{SHA}secret"), std::string("a:$6$"), good + "\nb"}) {
    const auto parsed = PasswordFile::parse(text, "passwords");
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("--metrics-basic-auth-file 'passwords': "), std::string::npos);
    EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 65; ++i) many += std::to_string(i) + ":" + kSha512 + "\n";
  EXPECT_FALSE(PasswordFile::parse(many, "passwords"));
  EXPECT_FALSE(PasswordFile::read("/nowhere/at/all"));
}

TEST(BasicAuth, what_was_right_is_remembered_beside_guesses) {
  BasicAuth auth(file_with(kSlow));
  EXPECT_EQ(auth.check(kRight), BasicAuth::Verdict::Right);
  std::atomic<bool> is_over = false;
  std::atomic<int> busy = 0;
  std::vector<std::thread> guesses;
  for (int i = 0; i < 12; ++i) {  // more than may wait
    guesses.emplace_back([&] {
      while (!is_over) busy += auth.check(kWrong) == BasicAuth::Verdict::Busy ? 1 : 0;
    });
  }
  while (busy == 0) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(auth.check(kRight), BasicAuth::Verdict::Right);
  is_over = true;
  for (std::thread& guess : guesses) guess.join();
}

TEST(BasicAuth, a_new_file_forgets_it) {
  BasicAuth auth(file_with(kSha512));
  EXPECT_EQ(auth.check(kRight), BasicAuth::Verdict::Right);
  auth.replace(PasswordFile::parse(std::string("other:") + kSha512, "passwords").value());
  EXPECT_EQ(auth.check(kRight), BasicAuth::Verdict::Wrong);
}

}  // namespace
}  // namespace mdpipe::agent
