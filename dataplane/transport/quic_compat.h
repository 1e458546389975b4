// The differences between ngtcp2 0.12 (Debian 12) and 1.x, in one place.
//
// Tested: 0.12.1. The 1.x branches follow that version's header and are built where it is
// installed. qlog is never switched on: two published overflows need it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

namespace godwit::transport::quic {

// What the library tells about a connection; zero where this version does not.
struct Figures {
  std::uint64_t rtt_smoothed_ns = 0;
  std::uint64_t rtt_min_ns = 0;
  std::uint64_t rtt_latest_ns = 0;
  std::uint64_t rtt_variation_ns = 0;
  std::uint64_t congestion_window = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t pacing_bytes_per_second = 0;
  std::uint64_t probe_timeouts_in_a_row = 0;
};

#if NGTCP2_VERSION_NUM >= 0x010000

// Whether BBR empties the path to measure it (path_measurement.h); a later one halves its window.
inline constexpr bool kMeasuresPath = false;

using CloseError = ngtcp2_ccerr;
using CryptoLevel = ngtcp2_encryption_level;
using IdStatus = ngtcp2_connection_id_status_type;

inline void set_transport_error(CloseError& error, std::uint64_t code, std::string_view text) {
  ngtcp2_ccerr_set_transport_error(
      &error, code, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}
inline void set_application_error(CloseError& error, std::uint64_t code, std::string_view text) {
  ngtcp2_ccerr_set_application_error(
      &error, code, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}
inline void set_library_error(CloseError& error, int status) {
  ngtcp2_ccerr_set_liberr(&error, status, nullptr, 0);
}
inline void peer_close(ngtcp2_conn* connection, CloseError& out) {
  out = *ngtcp2_conn_get_ccerr(connection);
}
inline bool is_application(const CloseError& error) {
  return error.type == NGTCP2_CCERR_TYPE_APPLICATION;
}
inline Figures figures(ngtcp2_conn* connection) {
  ngtcp2_conn_info info;
  ngtcp2_conn_get_conn_info(connection, &info);
  Figures figures;
  figures.rtt_smoothed_ns = info.smoothed_rtt;
  figures.rtt_min_ns = info.min_rtt;
  figures.rtt_latest_ns = info.latest_rtt;
  figures.rtt_variation_ns = info.rttvar;
  figures.congestion_window = info.cwnd;
  figures.in_flight = info.bytes_in_flight;
  return figures;
}
inline void set_original_dcid(ngtcp2_transport_params& params, const ngtcp2_cid& id) {
  params.original_dcid = id;
  params.original_dcid_present = 1;
}
inline std::span<const std::uint8_t> token_of(const ngtcp2_pkt_hd& header) {
  return {header.token, header.tokenlen};
}
// `token` must live until the connection is made, which copies it.
inline void set_token(ngtcp2_settings& settings, const std::vector<std::uint8_t>& token) {
  settings.token = token.data();
  settings.tokenlen = token.size();
  settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
}

#else

inline constexpr bool kMeasuresPath = true;

using CloseError = ngtcp2_connection_close_error;
using CryptoLevel = ngtcp2_crypto_level;
using IdStatus = int;

inline void set_transport_error(CloseError& error, std::uint64_t code, std::string_view text) {
  ngtcp2_connection_close_error_set_transport_error(
      &error, code, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}
inline void set_application_error(CloseError& error, std::uint64_t code, std::string_view text) {
  ngtcp2_connection_close_error_set_application_error(
      &error, code, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}
inline void set_library_error(CloseError& error, int status) {
  ngtcp2_connection_close_error_set_transport_error_liberr(&error, status, nullptr, 0);
}
inline void peer_close(ngtcp2_conn* connection, CloseError& out) {
  ngtcp2_conn_get_connection_close_error(connection, &out);
}
inline bool is_application(const CloseError& error) {
  return error.type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION;
}
inline Figures figures(ngtcp2_conn* connection) {
  ngtcp2_conn_stat stat;
  ngtcp2_conn_get_conn_stat(connection, &stat);
  Figures figures;
  figures.rtt_smoothed_ns = stat.first_rtt_sample_ts == UINT64_MAX ? 0 : stat.smoothed_rtt;
  figures.rtt_min_ns = stat.min_rtt == UINT64_MAX ? 0 : stat.min_rtt;
  if (stat.first_rtt_sample_ts != UINT64_MAX) {
    figures.rtt_latest_ns = stat.latest_rtt;
    figures.rtt_variation_ns = stat.rttvar;
  }
  constexpr double kNanoseconds = 1e9;  // the library paces in bytes per nanosecond
  figures.pacing_bytes_per_second = static_cast<std::uint64_t>(stat.pacing_rate * kNanoseconds);
  figures.probe_timeouts_in_a_row = stat.pto_count;
  figures.congestion_window = stat.cwnd;
  figures.in_flight = stat.bytes_in_flight;
  return figures;
}
inline void set_original_dcid(ngtcp2_transport_params& params, const ngtcp2_cid& id) {
  params.original_dcid = id;
}
inline std::span<const std::uint8_t> token_of(const ngtcp2_pkt_hd& header) {
  return {header.token.base, header.token.len};
}
// `token` must live until the connection is made, which copies it.
inline void set_token(ngtcp2_settings& settings, const std::vector<std::uint8_t>& token) {
  settings.token = {const_cast<std::uint8_t*>(token.data()), token.size()};
}

#endif

}  // namespace godwit::transport::quic
