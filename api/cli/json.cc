#include "api/cli/json.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

namespace godwit::cli {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::ordered_json;

// LinkReport.State.STATE_UP is "up": the prefix repeats the type's name.
std::string enumerator(const pb::EnumValueDescriptor& value) {
  std::string name = value.name();
  const auto cut = name.find('_');
  name = cut == std::string::npos ? name : name.substr(cut + 1);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return name;
}

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

// The value of a field that is not repeated, or one element (`index` >= 0) of one that is.
Json value_of(const pb::Message& message, const pb::FieldDescriptor& field, int index) {
  const pb::Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  };
  using R = pb::Reflection;
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return get(&R::GetInt32, &R::GetRepeatedInt32);
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return get(&R::GetInt64, &R::GetRepeatedInt64);
    case pb::FieldDescriptor::CPPTYPE_UINT32: {
      const auto value = get(&R::GetUInt32, &R::GetRepeatedUInt32);
      return field.type() == pb::FieldDescriptor::TYPE_FIXED32 ? Json(fmt::format("{:08x}", value))
                                                               : Json(value);
    }
    case pb::FieldDescriptor::CPPTYPE_UINT64: {
      const auto value = get(&R::GetUInt64, &R::GetRepeatedUInt64);
      return field.type() == pb::FieldDescriptor::TYPE_FIXED64 ? Json(fmt::format("{:016x}", value))
                                                               : Json(value);
    }
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return number(get(&R::GetDouble, &R::GetRepeatedDouble));
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return number(static_cast<double>(get(&R::GetFloat, &R::GetRepeatedFloat)));
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return get(&R::GetBool, &R::GetRepeatedBool);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return enumerator(*get(&R::GetEnum, &R::GetRepeatedEnum));
    case pb::FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = get(&R::GetString, &R::GetRepeatedString);
      if (field.type() != pb::FieldDescriptor::TYPE_BYTES) {
        return text;
      }
      std::string hex;
      for (const char c : text) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
      }
      return hex;
    }
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(index < 0 ? reflection.GetMessage(message, &field)
                               : reflection.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

}  // namespace

Json to_json(const pb::Message& message) {
  Json object = Json::object();
  const pb::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (field.is_repeated()) {
      Json list = Json::array();
      for (int k = 0; k < message.GetReflection()->FieldSize(message, &field); ++k) {
        list.push_back(value_of(message, field, k));
      }
      object[field.name()] = std::move(list);
    } else if (field.real_containing_oneof() == nullptr ||
               message.GetReflection()->HasField(message, &field)) {
      object[field.name()] = value_of(message, field, -1);
    }
  }
  return object;
}

}  // namespace godwit::cli
