// SPDX-License-Identifier: MIT
//
// A large library of others, nlohmann-json, with all of its values, texts and tables on mend: a
// generated document is written, read, compared, copied, changed and taken apart. What the library
// has for std::string alone is done with that, and the rest on mend.
#include "support.hpp"

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "allocator.hpp"

namespace
{

using text = std::basic_string<char, std::char_traits<char>, custom_alloc::allocator<char>>;
template <class Text>
using json_of = nlohmann::basic_json<std::map, std::vector, Text, bool, std::int64_t, std::uint64_t,
                                     double, custom_alloc::allocator>;
using json = json_of<text>;
using plain_json = json_of<std::string>;

// A value of any kind; arrays and objects up to so deep.
template <class Json> Json generate(std::mt19937_64 &random, int depth)
{
  switch (random() % (depth > 0 ? 10 : 6)) {
  case 0:
    return nullptr;
  case 1:
    return random() % 2 == 0;
  case 2:
    return static_cast<std::int64_t>(random());
  case 3:
    return static_cast<double>(random() % 1000000) / 64;
  case 4:
  case 5:
    return typename Json::string_t(random() % 60, static_cast<char>('a' + random() % 26));
  case 6:
  case 7: {
    Json array = Json::array();
    for (std::size_t count = random() % 20; count > 0; --count)
      array.push_back(generate<Json>(random, depth - 1));
    return array;
  }
  default: {
    Json object = Json::object();
    for (std::size_t count = random() % 20; count > 0; --count)
      object["key " + typename Json::string_t(std::to_string(random() % 1000).c_str())] =
          generate<Json>(random, depth - 1);
    return object;
  }
  }
}

}  // namespace

TEST_CASE("a document survives being written and read, copied and moved")
{
  {
    std::mt19937_64 random(random_seed());
    json document = json::array();
    for (std::size_t count = test_scaled(300) + 5; count > 0; --count)
      document.push_back(generate<json>(random, 4));
    const text written = document.dump();
    CHECK(mend_owns(&document[0]));
    CHECK(mend_owns(written.data()));
    json read = json::parse(written);
    CHECK((read == document));
    json copy = document;
    json moved = std::move(read);
    CHECK((copy == moved));
    moved.erase(0);
    moved.push_back(json{{"name", "added"}, {"values", {1, 2, 3}}});
    CHECK((copy != moved));
    CHECK((json::parse(moved.dump(2)) == moved));
  }
  CHECK(live_blocks() == 0);
}

TEST_CASE("binary forms, differences and patches")
{
  {
    std::mt19937_64 random(random_seed());
    plain_json one = plain_json::array();
    for (std::size_t count = test_scaled(100) + 5; count > 0; --count)
      one.push_back(generate<plain_json>(random, 3));
    plain_json other = one;
    for (plain_json &value : other)
      if (random() % 4 == 0) value = generate<plain_json>(random, 2);
    CHECK((plain_json::from_cbor(plain_json::to_cbor(one)) == one));
    CHECK((plain_json::from_msgpack(plain_json::to_msgpack(one)) == one));
    CHECK((one.patch(plain_json::diff(one, other)) == other));
  }
  CHECK(live_blocks() == 0);
}

TEST_CASE("what can't be read throws, and leaves nothing behind")
{
  const std::string written = R"({"a": [1, 2, {"b": "a text that is too long for its own room"}, )";
  json read;
  for (std::size_t end = 0; end < written.size(); ++end)
    CHECK_THROWS_AS(read = json::parse(written.substr(0, end)), json::parse_error);
  CHECK(live_blocks() == 0);
}
