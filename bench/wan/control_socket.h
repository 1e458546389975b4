// The Unix socket on which the emulator takes requests: lines in, lines out, many clients.
//
// Nothing blocks: a client that does not read its answers is closed when kAnswerBytesMax wait.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "bench/wan/os.h"
#include "dataplane/base/result.h"

namespace godwit::wan {

inline constexpr std::size_t kClientsMax = 64;

// Two full answers to "stats" of 64 sites (4,032 pairs of about 500 bytes).
inline constexpr std::size_t kAnswerBytesMax = std::size_t{4} << 20U;

class ControlSocket {
 public:
  using Answer = std::function<std::string(std::string_view line)>;

  // Replaces a socket that nobody answers on; refuses one that is in use. `epoll` gets all of its
  // descriptors, each with the descriptor itself as data.
  static Result<ControlSocket> listen(const std::string& path, int epoll);

  ControlSocket(ControlSocket&&) = default;
  ControlSocket& operator=(ControlSocket&&) = default;
  // Removes the file.
  ~ControlSocket();

  // Something happened on `fd`; false if it is not one of ours.
  bool on_event(int fd, const Answer& answer);

 private:
  struct Client {
    Descriptor socket;
    std::string input;
    std::string output;
    std::uint64_t heard = 0;  // the last event, by number
  };

  ControlSocket(std::string path, Descriptor listener, int epoll)
      : path_(std::move(path)), listener_(std::move(listener)), epoll_(epoll) {}

  void accept_clients();
  // False when the client is to be closed.
  bool read_requests(Client& client, const Answer& answer);
  bool write_answers(Client& client);

  std::string path_;
  Descriptor listener_;
  int epoll_ = -1;
  std::map<int, Client> clients_;
  std::uint64_t events_ = 0;
};

// One request and its answer, for the command line. Waits at most ten seconds.
Result<std::string> ask(const std::string& path, std::string_view line);

}  // namespace godwit::wan
