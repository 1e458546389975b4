// What `godwit` would be answered by a gateway under test.
#pragma once

#include <gtest/gtest.h>

#include "api/gateway/report.h"
#include "tests/api/gateway/one_gateway.h"

namespace godwit::gateway {

inline admin::AdminResponse ask(OneGateway& b, const admin::AdminRequest& request) {
  Reporter reporter(*b.gateway, b.now);
  admin::AdminResponse response;
  EXPECT_TRUE(
      response.ParseFromString(reporter.answer(b.now, as_bytes(request.SerializeAsString()))));
  return response;
}

}  // namespace godwit::gateway
