// A message of api/proto as JSON for scripts: every field present, names as in the schema.
//
// Counts are numbers, identities and checksums (fixed64, fixed32) are hexadecimal text, an
// enumerator is its name without the prefix, in lower case ("up"), a double that is no number is
// null. Bytes are hexadecimal text. A oneof shows only the kind that is set.
#pragma once

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

namespace godwit::cli {

nlohmann::ordered_json to_json(const google::protobuf::Message& message);

}  // namespace godwit::cli
