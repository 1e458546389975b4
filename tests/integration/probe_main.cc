// One small thing at a time, for the tests: declare a topic, publish a few values, make a
// certificate that ends soon. Prints one line.
//
//   declare --socket S --topic T --elements N [--allowed a,b]  "open BOUND" or "refused TEXT"
//   publish --socket S --topic T --elements N --values "1,nan,…" [--first I]
//           [--level safe|applied|stable] [--ms M]             the outcome, and why
//   sum     --socket S --topic T --elements N [--seconds S]    the sums after so long, as integers
//   certificate --folder F --site NAME --seconds S             valid for so long from now
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "api/client/client.h"
#include "dataplane/base/system_time.h"
#include "dataplane/transport/certificate.h"
#include "tests/integration/arguments.h"

namespace godwit::integration {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    parts.push_back(part);
  }
  return parts;
}

int say(const std::string& text, int code = 0) {
  std::printf("%s\n", text.c_str());
  return code;
}

int certificate(const Arguments& arguments) {
  constexpr std::int64_t kDay = 86'400;
  const auto seconds = static_cast<std::int64_t>(arguments.number("--seconds", 5));
  // Validity is in days and begins 300 s before what is given here.
  const auto made = transport::issue_site_files(
      arguments.text("--folder"),
      arguments.text("--site"),
      {.valid_days = 1, .valid_from = system_unix_seconds() + seconds - kDay});
  return made ? say("made") : say(made.error().message, 1);
}

int publish(const Arguments& arguments, Topic& topic) {
  std::vector<float> values;
  for (const std::string& word : split(arguments.text("--values"))) {
    values.push_back(std::strtof(word.c_str(), nullptr));
  }
  const auto ticket = topic.publish(values, {.first = arguments.number("--first", 0)});
  if (!ticket) {
    return say(ticket.error().message, 1);
  }
  const std::string level = arguments.text("--level", "safe");
  const auto patience = Duration::ms(static_cast<std::int64_t>(arguments.number("--ms", 20'000)));
  const Outcome outcome = ticket->wait(level == "stable"    ? Level::kStable
                                       : level == "applied" ? Level::kApplied
                                                            : Level::kSafe,
                                       patience);
  return say(std::string(to_string(outcome)) + " " + ticket->detail());
}

int sum(const Arguments& arguments, Topic& topic) {
  if (!topic.subscribe({.keep_sum = true})) {
    return say("no subscription", 1);
  }
  std::this_thread::sleep_for(std::chrono::seconds(arguments.number("--seconds", 1)));
  std::vector<std::int64_t> sums(topic.element_count());
  if (!topic.copy_sum(0, sums)) {
    return say("no sum", 1);
  }
  std::string text;
  for (const std::int64_t value : sums) {
    text += std::to_string(value) + " ";
  }
  return say(text);
}

// What an idle gateway answers to who waits for a clock that nobody has reached.
int wait(const Arguments& arguments, Topic& topic) {
  const auto patience = Duration::ms(static_cast<std::int64_t>(arguments.number("--ms", 300)));
  const ClockOutcome outcome = topic.wait_clock(arguments.number("--clock", 1), patience);
  if (outcome.kind == ClockOutcome::Kind::kOk) {
    return say("ok");
  }
  std::string text = outcome.kind == ClockOutcome::Kind::kPartial ? "partial" : "no answer";
  for (const std::string& site : outcome.missing) {
    text += " " + site;
  }
  return say(text);
}

int run(const std::string& action, const Arguments& arguments) {
  if (action == "certificate") {
    return certificate(arguments);
  }
  auto client = Client::connect({.socket = arguments.text("--socket")});
  if (!client) {
    return say(client.error().message, 1);
  }
  auto topic = client->declare({.name = arguments.text("--topic"),
                                .element_count = arguments.number("--elements", 8),
                                .allowed_sites = split(arguments.text("--allowed"))});
  if (!topic) {
    return say("refused " + topic.error().message);
  }
  if (action == "publish") {
    return publish(arguments, *topic);
  }
  if (action == "wait") {
    return wait(arguments, *topic);
  }
  return action == "sum" ? sum(arguments, *topic)
                         : say("open " + std::to_string(topic->memory_bound()));
}

}  // namespace
}  // namespace godwit::integration

int main(int count, char** words) {
  return count < 2 ? 2 : godwit::integration::run(words[1], {count - 1, words + 1});
}
