// What is said by the places where models are published: the catalogue, the package index, the hub.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "fetch/catalogue.h"
#include "fetch/http.h"
#include "fetch/hub.h"
#include "fetch/package_index.h"
#include "fetch/pull.h"

namespace fude {
namespace {

const std::string kSum(64, 'a');

TEST(Catalogue, HasFactsOfTheRightShape) {
  std::set<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_TRUE(names.insert(entry.name).second);
    EXPECT_FALSE(is_hub_name(entry.name));
    EXPECT_EQ(entry.sha256.size(), 64u);
    EXPECT_EQ(entry.sha256.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_TRUE(entry.file.ends_with(".gguf"));
    EXPECT_TRUE(is_hub_name(entry.hub_repository + ":" + entry.hub_file));
    EXPECT_FALSE(entry.licence.empty());
    EXPECT_TRUE(entry.terms.empty() || entry.terms.starts_with("https://"));
    uint64_t size = 0;
    for (const WheelMember& wheel : entry.wheels) {
      EXPECT_TRUE(wheel.wheel.ends_with(".whl"));
      size += wheel.size;
    }
    EXPECT_EQ(size, entry.size);
  }
  ASSERT_NE(find_in_catalogue(kDefaultModel), nullptr);
  EXPECT_EQ(find_in_catalogue("none"), nullptr);
}

TEST(PackageIndex, ReadsJson) {
  const auto files = parse_index_page(R"({"files": [{"filename": "a-1.whl", "url": "../../f/a-1.whl", "size": 7,
      "hashes": {"sha256": ")" + kSum + R"("}}, {"filename": "b.whl", "url": "https://other/b.whl"}], "name": "a"})",
                                      "https://index/simple/a/");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].name, "a-1.whl");
  EXPECT_EQ(files[0].url, "https://index/f/a-1.whl");
  EXPECT_EQ(files[0].sha256, kSum);
  EXPECT_EQ(files[0].size, 7u);
  EXPECT_EQ(files[1].url, "https://other/b.whl");
  EXPECT_EQ(files[1].sha256, "");
}

TEST(PackageIndex, ReadsHtml) {
  const auto files = parse_index_page("<!DOCTYPE html><html><body>\n<a href=\"/f/a-1.whl#sha256=" + kSum +
                                          "\" data-requires-python=\"&gt;=3\"> a-1.whl </a><br/>\n"
                                          "<a data-x='' href='b.whl?x=1&amp;y=2#md5=00'>b.whl</a><a href=\"c\"",
                                      "https://index/simple/a/");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].name, "a-1.whl");
  EXPECT_EQ(files[0].url, "https://index/f/a-1.whl");
  EXPECT_EQ(files[0].sha256, kSum);
  EXPECT_EQ(files[1].url, "https://index/simple/a/b.whl?x=1&y=2");
  EXPECT_EQ(files[1].sha256, "");
}

TEST(PackageIndex, RefusesOtherPages) {
  for (const char* page : {"", "Not found", "{}", "{\"files\": 1}", "{\"files\": [1]}", "{\"files\": [{}]}", "[]",
                           "{\"files\": [{\"filename\": \"a\", \"url\": \"http://[\"}]}"})
    EXPECT_THROW(parse_index_page(page, "https://index/simple/a/"), Error) << page;
}

// An index may want a password, which is nobody else's business.
TEST(PackageIndex, IsNamedWithoutItsPassword) {
  for (const char* page :
       {"Not found", "{", "{}", "{\"files\": [{}]}", "{\"files\": [{\"filename\": \"a\", \"url\": \"http://[\"}]}"}) {
    try {
      parse_index_page(page, "https://user:secret@index/simple/a/");
      ADD_FAILURE() << page;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("https://index/simple/a/"), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

TEST(Shown, LeavesOutWhoAsks) {
  EXPECT_EQ(shown("https://user:secret@host:8080/a"), "https://host:8080/a");
  EXPECT_EQ(shown("https://user@host"), "https://host");
  EXPECT_EQ(shown("https://user:sec@ret@host?x=@"), "https://host?x=@");
  for (const char* url : {"https://host/a@b", "https://host?a@b", "https://host#a@b", "file:///a@b", "a@b", "://", ""})
    EXPECT_EQ(shown(url), url);
}

TEST(PackageIndex, IsWherePipSays) {
  PipSettings settings;
  read_pip_config(
      "# index-url = https://no\n[install]\nindex-url = https://no\n[global]\n; x\nindex_url=https://yes/simple \n"
      "cert : /a/b.pem\nextra-index-url = https://no",
      settings);
  EXPECT_EQ(settings.index_url, "https://yes/simple");
  EXPECT_EQ(settings.certificates, "/a/b.pem");
  const std::string path = testing::TempDir() + "fude_pip.conf";
  write_file(path, "[global]\nindex-url = https://file/simple\n");
  ::setenv("PIP_CONFIG_FILE", path.c_str(), 1), ::unsetenv("PIP_INDEX_URL");
  EXPECT_EQ(pip_settings().index_url, "https://file/simple");
  ::setenv("PIP_INDEX_URL", "https://environment/simple", 1);
  EXPECT_EQ(pip_settings().index_url, "https://environment/simple");
  ::unsetenv("PIP_CONFIG_FILE"), ::unsetenv("PIP_INDEX_URL");
  std::filesystem::remove(path);
}

TEST(Hub, Names) {
  EXPECT_EQ(parse_hub_name("org/na-me_1.5").repository, "org/na-me_1.5");
  EXPECT_EQ(parse_hub_name("org/name:a.gguf").file, "a.gguf");
  for (const char* text : {"", "name", "org/", "/name", "org/name/more", "../name", "org/..",
                           "org/name:", "org/name:../x", "org/name:a/b", "a b/c", "org/.hidden", "org/a..b", "org/%2e"})
    EXPECT_FALSE(is_hub_name(text)) << text;
}

std::vector<std::string> chosen(std::string_view list, const char* name) {
  std::vector<std::string> names;
  for (const HubFile& file : choose_hub_files(list, parse_hub_name(name), "https://hub", "list"))
    names.push_back(file.name);
  return names;
}

TEST(Hub, ChoosesWhatAModelNeeds) {
  using Names = std::vector<std::string>;
  const std::string folder =
      R"([{"type": "file", "path": "README.md", "size": 1}, {"type": "directory", "path": "onnx"},
      {"type": "file", "path": "config.json", "size": 5}, {"type": "file", "path": "tokenizer.json", "size": 6},
      {"type": "file", "path": "pytorch_model.bin", "size": 6}, {"type": "file", "path": "../config.json", "size": 1},
      {"type": "file", "path": "model.safetensors", "size": 9, "lfs": {"oid": ")" +
      kSum + R"(", "size": 9}}])";
  EXPECT_EQ(chosen(folder, "org/name"), (Names{"config.json", "tokenizer.json", "model.safetensors"}));
  EXPECT_EQ(chosen(folder, "org/name:README.md"), (Names{"README.md"}));
  const auto files = choose_hub_files(folder, parse_hub_name("org/name"), "https://hub", "list");
  EXPECT_EQ(files[2].remote.url, "https://hub/org/name/resolve/main/model.safetensors");
  EXPECT_EQ(files[2].remote.sha256, kSum);
  EXPECT_EQ(files[2].remote.size, 9u);
  const std::string one = R"([{"type": "file", "path": "a.gguf", "size": 1}])";
  EXPECT_EQ(chosen(one, "org/name"), (Names{"a.gguf"}));
  const std::string two = R"([{"type": "file", "path": "a.gguf"}, {"type": "file", "path": "b.gguf"}])";
  EXPECT_EQ(chosen(two, "org/name:b.gguf"), (Names{"b.gguf"}));
  // An adapter's weights are not a model's.
  const std::string adapted =
      R"([{"type": "file", "path": "config.json"}, {"type": "file", "path": "pytorch_model.bin"},
      {"type": "file", "path": "adapter_model.safetensors"}])";
  try {
    chosen(adapted, "org/name");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected config.json with model*.safetensors"), std::string::npos)
        << error.what();
  }
  for (const auto& [list, name] : {std::pair{two.c_str(), "org/name"},
                                   {one.c_str(), "org/name:b.gguf"},
                                   {"[]", "org/name"},
                                   {"{}", "org/name"},
                                   {"[1]", "org/name"},
                                   {"", "org/name"}})
    EXPECT_THROW(chosen(list, name), Error) << list;
}

TEST(Cache, HoldsWhatWasPulled) {
  const std::string cache = testing::TempDir() + "fude_cache_test";
  std::filesystem::remove_all(cache);
  ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  const CatalogueEntry& entry = *find_in_catalogue(kDefaultModel);
  EXPECT_FALSE(is_cached(entry));
  const auto expect_error = [](const std::string& model, const std::string& what) {
    try {
      find_model(model);
      ADD_FAILURE() << model;
    } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what(); }
  };
  expect_error(kDefaultModel, "fude pull smollm2");
  expect_error("smolm2", "did you mean 'smollm2'?");
  expect_error("/nowhere/at/all.gguf", "there is no file or folder /nowhere/at/all.gguf");
  make_directories(std::filesystem::path(cached_path(entry)).parent_path());
  write_file(cached_path(entry), "too small");
  EXPECT_FALSE(is_cached(entry));
  std::filesystem::resize_file(cached_path(entry), entry.size);
  EXPECT_TRUE(is_cached(entry));
  EXPECT_EQ(find_model(kDefaultModel), cache + "/fude/models/smollm2/" + entry.file);
  EXPECT_EQ(pull(entry, {}), cached_path(entry));  // asks nobody
  EXPECT_EQ(find_model(cache), cache);
  expect_error("org/name", "fude pull org/name");
  const std::string hub = cache + "/fude/models/hub/org/name";
  make_directories(hub);
  write_file(hub + "/a.gguf", "");
  EXPECT_EQ(find_model("org/name"), hub + "/a.gguf");
  write_file(hub + "/b.gguf", "");
  expect_error("org/name", "such as org/name:a.gguf");
  EXPECT_EQ(find_model("org/name:b.gguf"), hub + "/b.gguf");
  write_file(hub + "/config.json", "");
  EXPECT_EQ(find_model("org/name"), hub);
  ::unsetenv("XDG_CACHE_HOME");
  std::filesystem::remove_all(cache);
}

}  // namespace
}  // namespace fude
