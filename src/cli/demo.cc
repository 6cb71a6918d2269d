#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <thread>

#include "base/hash.h"
#include "base/progress.h"
#include "cli/command.h"
#include "crypto/random_token.h"
#include "demo/demo_feed.h"
#include "demo/demo_files.h"
#include "server/service.h"

namespace attune {
namespace {

struct DemoSettings {
  std::string listen = "127.0.0.1:8080";
} demo_settings;

// A folder that is removed when the process ends.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "attune-demo-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ScratchFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void PrintInvitation(const std::string& url, const std::string& write_key, const std::string& api_key) {
  fmt::print(
      "\nattune demo is running: open\n\n  {0}/#key={2}\n\n"
      "Visitors of a real shop (its times moved to now) come and go there. Be one yourself: five products in a cart\n"
      "make a high_intent_shopper.\n\n"
      "  for i in 1 2 3 4 5; do curl -s -u {1}: {0}/v1/track -d '{{\"event\":\"Add To Cart\",\"userId\":\"me\",\"properties\":{{\"product_id\":\"A'$i'\",\"price\":40}}}}'; done; echo\n"
      "  curl -s -H 'Authorization: Bearer {2}' {0}/user/me/behavior; echo\n\n"
      "Ctrl-C ends it; nothing is kept.\n",
      url, write_key, api_key);
  std::fflush(stdout);
}

}  // namespace

void DemoOptions(CLI::App* app) {
  app->add_option("--listen", demo_settings.listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
}

int RunDemo() {
  ServiceOptions options;
  if (!ParseListen(demo_settings.listen, &options.host, &options.port)) {
    return Complain("--listen: expected HOST:PORT, found \"" + demo_settings.listen + "\"", kExitInvalid);
  }
  const ScratchFolder folder;
  if (folder.path().empty()) return Complain("cannot make a folder for the demo's data", kExitFailed);
  LoadedPlan loaded = ParsePlan(DemoPlanYaml(), "examples/demo/plan.yaml");
  for (const Problem& problem : loaded.problems) fmt::print(stderr, "{}\n", ToText(problem));
  if (!loaded.plan) return kExitFailed;
  options.data = folder.path();
  options.write_key = "atn_wk_demo_" + RandomToken().substr(0, 16);
  options.api_key = "atn_sk_demo_" + RandomToken().substr(0, 16);
  options.status_note = "{\"write_key\":\"" + options.write_key + "\"}";
  const std::string host = options.host, write_key = options.write_key, api_key = options.api_key;
  NoteSignals();
  auto service = Service::Start(std::move(loaded.plan), std::move(options));
  if (!service.ok()) return Complain(service.error().message, kExitFailed);
  const std::string shown = host == "0.0.0.0" ? "127.0.0.1" : host;
  const std::string url =
      fmt::format("http://{}:{}", shown.find(':') == std::string::npos ? shown : "[" + shown + "]", (*service)->port());

  DemoFeedOptions feed;
  feed.host = shown;
  feed.port = (*service)->port();
  feed.write_key = write_key;
  Progress progress("importing the shop's history");
  feed.on_history = [&](size_t done, size_t total) {
    progress.Show(done, total, fmt::format("{} of {} events", done, total));
    if (done < total) return;
    progress.Clear();
    fmt::print("{} events of history imported; visitors are coming in.\n", total);
    PrintInvitation(url, write_key, api_key);
  };
  fmt::print("attune is ready at {}/ ; the history of the last months is imported first.\n", url);
  std::fflush(stdout);
  std::atomic<bool> stop{false};
  Status fed;
  std::thread feeder([&] { fed = FeedDemo(feed, stop); });
  const auto failed = [&] { return !(*service)->runtime().failure().ok(); };
  WaitForSignal(failed);
  stop = true;
  feeder.join();
  (*service)->Stop();
  if (!fed.ok()) return Complain("the feed ended: " + fed.error().message, kExitFailed);
  return kExitDone;
}

}  // namespace attune
