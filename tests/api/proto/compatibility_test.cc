// The messages that gateways of different age exchange: numbers, types and bytes stay for ever.
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "api/proto/admin.pb.h"
#include "api/proto/control.pb.h"
#include "api/proto/local.pb.h"
#include "api/proto/state.pb.h"
#include "tests/support/hex.h"

namespace godwit {
namespace {

namespace pb = google::protobuf;

const std::string kGolden = "tests/api/proto/golden/";

std::vector<const pb::FileDescriptor*> schemas() {
  return {control::ControlMessage::descriptor()->file(),
          admin::AdminRequest::descriptor()->file(),
          local_channel::Hello::descriptor()->file(),
          state::TopicState::descriptor()->file()};
}

std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream in(kGolden + file);
  EXPECT_TRUE(in.good()) << file << " is missing";
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.front() != '#') {
      lines.push_back(line);
    }
  }
  return lines;
}

void list_enum(const pb::EnumDescriptor& type, std::vector<std::string>* out) {
  for (int i = 0; i < type.value_count(); ++i) {
    out->push_back(type.full_name() + " = " + std::to_string(type.value(i)->number()) + " " +
                   type.value(i)->name());
  }
}

void list_message(const pb::Descriptor& type, std::vector<std::string>* out) {
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    std::string line = type.full_name() + " " + std::to_string(field.number()) + " " +
                       (field.is_repeated() ? "repeated " : "") + field.type_name();
    if (field.message_type() != nullptr) {
      line += " " + field.message_type()->full_name();
    } else if (field.enum_type() != nullptr) {
      line += " " + field.enum_type()->full_name();
    }
    if (field.real_containing_oneof() != nullptr) {
      line += " of " + field.real_containing_oneof()->name();
    }
    out->push_back(line + " " + field.name());
  }
  for (int i = 0; i < type.enum_type_count(); ++i) {
    list_enum(*type.enum_type(i), out);
  }
  for (int i = 0; i < type.nested_type_count(); ++i) {
    list_message(*type.nested_type(i), out);
  }
}

// One line per field and enumerator of every schema.
std::vector<std::string> current_listing() {
  std::vector<std::string> out;
  for (const pb::FileDescriptor* file : schemas()) {
    for (int i = 0; i < file->enum_type_count(); ++i) {
      list_enum(*file->enum_type(i), &out);
    }
    for (int i = 0; i < file->message_type_count(); ++i) {
      list_message(*file->message_type(i), &out);
    }
  }
  return out;
}

TEST(Compatibility, EverySchemaIsLookedAt) {
  std::set<std::string> looked_at;
  for (const pb::FileDescriptor* file : schemas()) {
    looked_at.insert(file->name());
  }
  for (const auto& entry : std::filesystem::directory_iterator("api/proto")) {
    if (entry.path().extension() == ".proto") {
      EXPECT_TRUE(looked_at.contains(entry.path().string())) << entry.path();
    }
  }
}

TEST(Compatibility, NoFieldWasRenumberedRetypedOrRemoved) {
  const auto current = current_listing();
  const std::set<std::string> present(current.begin(), current.end());
  for (const std::string& line : lines_of("fields.txt")) {
    EXPECT_TRUE(present.contains(line)) << "was promised and is no longer so: " << line;
  }
}

TEST(Compatibility, EveryFieldIsPromised) {
  const auto golden = lines_of("fields.txt");
  const std::set<std::string> promised(golden.begin(), golden.end());
  for (const std::string& line : current_listing()) {
    EXPECT_TRUE(promised.contains(line))
        << "new; if it is right, add the line to " << kGolden << "fields.txt:\n"
        << line;
  }
}

TEST(Compatibility, NoNumberIsUsedTwiceOverTime) {
  std::map<std::string, std::string> seen;
  for (const std::string& line : lines_of("fields.txt")) {
    std::istringstream words(line);
    std::string type;
    std::string number;
    words >> type >> number;
    if (number != "=") {
      const auto [at, fresh] = seen.emplace(type + " " + number, line);
      EXPECT_TRUE(fresh) << line << "\nwas\n" << at->second;
    }
  }
}

// A committed message: what it says and the bytes that say it.
struct Golden {
  std::string type;
  std::string hex;
  std::string text;
};

// Each line of messages.txt is TYPE | BYTES | TEXT.
std::vector<Golden> golden_messages() {
  std::vector<Golden> out;
  for (const std::string& line : lines_of("messages.txt")) {
    const auto first = line.find('|');
    const auto second = line.find('|', first + 1);
    if (second == std::string::npos) {
      ADD_FAILURE() << "not TYPE | BYTES | TEXT: " << line;
      continue;
    }
    out.push_back({.type = line.substr(0, line.find(' ')),
                   .hex = line.substr(first + 1, second - first - 1),
                   .text = line.substr(second + 1)});
  }
  return out;
}

std::unique_ptr<pb::Message> empty_message(const std::string& type) {
  const auto* descriptor = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
  if (descriptor == nullptr) {
    return nullptr;
  }
  return std::unique_ptr<pb::Message>(
      pb::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Compatibility, CommittedBytesStillMeanWhatTheyMeant) {
  const auto messages = golden_messages();
  ASSERT_FALSE(messages.empty());
  for (const Golden& golden : messages) {
    SCOPED_TRACE(golden.type + golden.text);
    const auto expected = empty_message(golden.type);
    const auto parsed = empty_message(golden.type);
    ASSERT_NE(expected, nullptr);
    ASSERT_TRUE(pb::TextFormat::ParseFromString(golden.text, expected.get()));
    const auto bytes = testing_support::from_hex(golden.hex);

    ASSERT_TRUE(parsed->ParseFromString(text_of(bytes)));

    EXPECT_TRUE(pb::util::MessageDifferencer::Equals(*parsed, *expected))
        << parsed->ShortDebugString();
    const std::string again = parsed->SerializeAsString();
    EXPECT_EQ(testing_support::to_hex(std::as_bytes(std::span(again))),
              testing_support::to_hex(bytes));
  }
}

TEST(Compatibility, EveryKindOfControlMessageHasCommittedBytes) {
  std::set<std::string> seen;
  for (const Golden& golden : golden_messages()) {
    control::ControlMessage message;
    if (golden.type == message.GetTypeName() &&
        pb::TextFormat::ParseFromString(golden.text, &message)) {
      seen.insert(message.descriptor()->FindFieldByNumber(message.kind_case())->name());
    }
  }
  const auto* kinds = control::ControlMessage::descriptor();
  for (int i = 0; i < kinds->field_count(); ++i) {
    EXPECT_TRUE(seen.contains(kinds->field(i)->name())) << kinds->field(i)->name();
  }
}

TEST(Compatibility, WhatANewerPeerAddsIsKeptOutOfTheWay) {
  // Goodbye{reason: 1} and field 99, a varint, that this version does not know.
  const auto bytes = testing_support::from_hex("4a 05 08 01 98 06 07");
  control::ControlMessage message;

  ASSERT_TRUE(message.ParseFromString(text_of(bytes)));

  EXPECT_EQ(message.goodbye().reason(), control::Goodbye::REASON_STOPPING);
}

TEST(Compatibility, AKindThatThisVersionDoesNotKnowIsNoKind) {
  const auto bytes = testing_support::from_hex("9a 06 02 08 01");  // field 99, a message
  control::ControlMessage message;

  ASSERT_TRUE(message.ParseFromString(text_of(bytes)));

  EXPECT_EQ(message.kind_case(), control::ControlMessage::KIND_NOT_SET);
}

}  // namespace
}  // namespace godwit
