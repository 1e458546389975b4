#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "api/cli/commands.h"
#include "api/gateway/config.h"
#include "dataplane/base/system_time.h"
#include "dataplane/transport/certificate.h"

namespace godwit::cli {
namespace {

ExitCode check_config(const Session& session, const std::string& file, bool effective) {
  const std::string& site = session.options().site;
  gateway::Overrides overrides;
  if (!site.empty()) {
    overrides.site = site;
  }
  const auto config = gateway::load_config(file, overrides);
  if (!config) {
    return session.fail_with(ExitCode::kUsage, config.error());
  }
  if (session.options().json) {
    session.print_json({{"file", file},
                        {"site", config->site},
                        {"sites", config->sites.size()},
                        {"links", config->links.size()},
                        {"policies", config->policies.size()},
                        {"hash", fmt::format("{:016x}", gateway::shared_hash(*config))},
                        {"effective", gateway::effective_config(*config)}});
  } else if (effective) {
    session.out() << gateway::effective_config(*config);
  } else {
    session.out() << fmt::format(
        "{}: correct; this is {}, one of {} sites; {} links, {} policies; hash {:016x}\n",
        file,
        config->site,
        config->sites.size(),
        config->links.size(),
        config->policies.size(),
        gateway::shared_hash(*config));
  }
  return ExitCode::kOk;
}

struct CertificateFlags {
  std::string folder;
  std::string name = "godwit";
  std::vector<std::string> sites;
  std::string file;
  int days = 365;
  bool p256 = false;

  transport::CertificateOptions options() const {
    return {.key = p256 ? transport::KeyKind::kP256 : transport::KeyKind::kEd25519,
            .valid_days = days,
            .valid_from = system_unix_seconds()};
  }
};

ExitCode said(const Session& session, const std::vector<std::string>& written) {
  if (session.options().json) {
    session.print_json({{"written", written}});
  } else {
    for (const std::string& path : written) {
      session.out() << "wrote " << path << '\n';
    }
  }
  return ExitCode::kOk;
}

ExitCode make_authority(const Session& session, const CertificateFlags& flags) {
  const auto made = transport::create_authority_files(flags.folder, flags.name, flags.options());
  if (!made) {
    return session.fail_with(ExitCode::kUsage, made.error());
  }
  return said(session, {flags.folder + "/ca.pem", flags.folder + "/ca.key"});
}

ExitCode issue(const Session& session, const CertificateFlags& flags) {
  std::set<std::string> once;
  for (const std::string& site : flags.sites) {
    if (!once.insert(site).second) {
      return session.fail_with(
          ExitCode::kUsage,
          {Code::kInvalid, fmt::format("{} is named twice; nothing was made", site)});
    }
  }
  std::vector<std::string> written;
  for (const std::string& site : flags.sites) {
    const auto issued = transport::issue_site_files(flags.folder, site, flags.options());
    if (!issued) {
      return session.fail_with(ExitCode::kUsage, issued.error());
    }
    written.push_back(fmt::format("{}/{}.pem", flags.folder, site));
    written.push_back(fmt::format("{}/{}.key", flags.folder, site));
  }
  return said(session, written);
}

ExitCode show(const Session& session, const CertificateFlags& flags) {
  const auto facts = transport::read_certificate_file(flags.file);
  if (!facts) {
    return session.fail_with(ExitCode::kUsage, facts.error());
  }
  constexpr std::int64_t kDay = 86'400;
  const std::int64_t now = system_unix_seconds();
  const bool valid = facts->valid_from <= now && now < facts->valid_until;
  if (session.options().json) {
    session.print_json({{"subject", facts->subject},
                        {"issuer", facts->issuer},
                        {"sites", facts->sites},
                        {"valid_from_unix_s", facts->valid_from},
                        {"valid_until_unix_s", facts->valid_until},
                        {"valid", valid},
                        {"sha256", facts->sha256}});
  } else {
    std::string sites;
    for (const std::string& site : facts->sites) {
      sites += " " + site;
    }
    session.out() << fmt::format(
        "subject {}\nissuer  {}\nsites  {}\nvalid   {}\nsha256  {}\n",
        facts->subject,
        facts->issuer,
        sites.empty() ? " none" : sites,
        now < facts->valid_from ? "NOT YET"
        : valid                 ? fmt::format("{} more days", (facts->valid_until - now) / kDay)
                : fmt::format("EXPIRED {} days ago", (now - facts->valid_until) / kDay),
        facts->sha256);
  }
  return valid ? ExitCode::kOk : ExitCode::kUnhealthy;
}

}  // namespace

void add_config(CLI::App& app, Dispatch& dispatch) {
  auto* config = app.add_subcommand("config", "Configuration files");
  config->require_subcommand(1);
  auto* check =
      config->add_subcommand("check", "Read a file as godwitd would; exit 2 if it is wrong");
  struct Flags {
    std::string file;
    bool effective = false;
  };
  const auto flags = std::make_shared<Flags>();
  check->add_option("file", flags->file, "The TOML file")->required();
  check->add_flag("--effective", flags->effective, "Print it with every default spelt out");
  check->callback([&dispatch, flags] {
    dispatch.result = check_config(dispatch.session, flags->file, flags->effective);
  });
}

void add_cert(CLI::App& app, Dispatch& dispatch) {
  auto* cert = app.add_subcommand("cert", "A private authority and the sites' certificates");
  cert->require_subcommand(1);
  const auto flags = std::make_shared<CertificateFlags>();
  const auto add = [&](const char* name, const char* help, auto action) {
    auto* command = cert->add_subcommand(name, help);
    command->callback(
        [&dispatch, flags, action] { dispatch.result = action(dispatch.session, *flags); });
    return command;
  };
  const auto add_common = [&](CLI::App* command) {
    command->add_option("folder", flags->folder, "Where ca.pem and ca.key are")->required();
    command->add_option("--days", flags->days, "How long it is valid")
        ->check(CLI::Range(1, 36'500))
        ->capture_default_str();
    command->add_flag("--p256", flags->p256, "ECDSA P-256 instead of Ed25519");
  };
  auto* init = add("init", "Make a private authority", make_authority);
  add_common(init);
  init->add_option("--name", flags->name, "What the authority is called")->capture_default_str();
  auto* issuing = add("issue", "Make certificates for sites", issue);
  add_common(issuing);
  issuing->add_option("site", flags->sites, "Names of sites")->required();
  add("show", "What a certificate says; exit 10 if it is not valid now", show)
      ->add_option("file", flags->file, "The PEM file")
      ->required();
}

}  // namespace godwit::cli
